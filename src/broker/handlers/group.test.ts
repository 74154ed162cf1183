import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBroker } from '../../../test/broker/sim-broker.ts';
import { parseLooseJson } from '../../common/mod.ts';
import { asObject } from '../json-state.ts';

const jsonOf = ({ body }: { body: Uint8Array }) => asObject(parseLooseJson(Buffer.from(body).toString()));

test(
  'a group is created, changed, listed, and deleted with or without its offsets',
  withBroker(async ({ ask, send, pull }) => {
    const put = (group: object) => ask('updateAndCreateSubscriptiongroup', {}, { body: JSON.stringify(group) });
    assert.equal((await put({ groupName: 'g', retryMaxTimes: 3, attributes: { '+priority.factor': '7' } })).code, 0);
    const config = jsonOf(await ask('getSubscriptiongroupConfig', { group: 'g' }));
    assert.deepEqual([config?.retryMaxTimes, asObject(config?.attributes)?.['priority.factor']], [3, '7']);
    const all = await ask('getAllSubscriptiongroupConfig', { groupSeq: 0 });
    const names = Object.keys(asObject(jsonOf(all)?.subscriptionGroupTable) ?? {});
    assert.ok(names.includes('g') && names.includes('TOOLS_CONSUMER'));
    assert.equal(all.fields.totalGroupNum, names.length);
    await send();
    await pull({ sysFlag: 5, commitOffset: 1 });
    const offset = async () =>
      (await ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0, setZeroIfNotFound: false }))
        .fields;
    await ask('deleteSubscriptiongroup', { groupName: 'g' });
    assert.equal((await offset()).offset, 1);
    assert.equal(jsonOf(await ask('getSubscriptiongroupConfig', { group: 'g' }))?.retryMaxTimes, 16);
    await ask('deleteSubscriptiongroup', { groupName: 'g', cleanOffset: true });
    assert.equal((await offset()).offset, undefined);
  }),
);

test(
  'groups that make no sense are refused',
  withBroker(async ({ ask }) => {
    const refused: [string, number, RegExp][] = [
      ['', 1, /JSON/],
      ['[]', 1, /no object/],
      ['{}', 29, /blank/],
      ['{"groupName":"a b"}', 29, /illegal characters/],
      [`{"groupName":"${'x'.repeat(121)}"}`, 29, /limit is 120/],
      ['{"groupName":"g","attributes":{"+odd":"1"}}', 1, /unsupported attribute/],
    ];
    for (const [body, code, remark] of refused) {
      const answer = await ask('updateAndCreateSubscriptiongroup', {}, { body });
      assert.equal(answer.code, code, body);
      assert.match(String(answer.remark), remark);
    }
  }),
);

test(
  'numbers that are none count as their defaults',
  withBroker(async ({ ask }) => {
    const body =
      '{"groupName":"g","retryQueueNums":1.5,"retryMaxTimes":"many","brokerId":99999999999,"consumeEnable":1}';
    assert.equal((await ask('updateAndCreateSubscriptiongroup', {}, { body })).code, 0);
    const config = jsonOf(await ask('getSubscriptiongroupConfig', { group: 'g' }));
    assert.deepEqual(
      [config?.retryQueueNums, config?.retryMaxTimes, config?.brokerId, config?.consumeEnable],
      [1, 16, 0, true],
    );
  }),
);

test(
  'an unknown group is told to be so where groups are not created automatically',
  withBroker(
    async ({ ask, pull, send }) => {
      await send();
      assert.equal((await ask('getSubscriptiongroupConfig', { group: 'g' })).code, 26);
      assert.equal((await pull()).code, 26);
    },
    { properties: { autoCreateSubscriptionGroup: 'false' } },
  ),
);

test(
  'lag is what lies between the end of a queue and the committed offset',
  withBroker(async ({ ask, send, pull, world }) => {
    for (let i = 0; i < 5; i++) await send({ queueId: 1 });
    await pull({ queueId: 1, maxMsgNums: 3 });
    await pull({ queueId: 1, sysFlag: 5, commitOffset: 2, queueOffset: 3, maxMsgNums: 1 });
    await world.sleep(10_001);
    const answer = await ask('getConsumeStats', { consumerGroup: 'g' });
    assert.equal(jsonOf(answer)?.consumeTps, 0.4);
    const row = asObject(asObject(jsonOf(answer)?.offsetTable)?.['{"brokerName":"b","queueId":1,"topic":"T"}']);
    assert.deepEqual([row?.brokerOffset, row?.consumerOffset, row?.pullOffset], [5, 2, 4]);
    assert.ok(Number(row?.lastTimestamp) >= Date.UTC(2026, 0, 1));
    const other = await ask('getConsumeStats', { consumerGroup: 'g', topicList: 'b;nowhere' });
    assert.equal(jsonOf(other)?.consumeTps, 0);
    assert.deepEqual(Object.keys(asObject(jsonOf(other)?.offsetTable) ?? {}), [
      '{"brokerName":"b","queueId":0,"topic":"b"}',
    ]);
  }),
);

test(
  'groups that consume a topic are those that subscribe to it now, and those that have offsets in it',
  withBroker(async ({ ask, send, pull }) => {
    await send();
    await pull({ sysFlag: 5, commitOffset: 1 });
    await pull({ consumerGroup: 'only-looking' });
    const subscription = { topic: 'T', subString: '*', tagsSet: [], codeSet: [], subVersion: 1, expressionType: 'TAG' };
    const consumer = {
      groupName: 'connected',
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
      subscriptionDataSet: [subscription],
      unitMode: false,
    };
    const heartbeat = { clientID: 'one', consumerDataSet: [consumer], producerDataSet: [] };
    assert.equal((await ask('heartBeat', {}, { body: JSON.stringify(heartbeat) })).code, 0);
    const groups = async (topic: string) => jsonOf(await ask('queryTopicConsumeByWho', { topic }))?.groupList;
    assert.deepEqual(await groups('T'), ['connected', 'g']);
    assert.deepEqual(await groups('nowhere'), []);
  }),
);

test(
  'the lag of a group that is connected is that of the topics that it subscribes to',
  withBroker(async ({ ask, send, pull }) => {
    for (const topic of ['T', 'U']) {
      await send({ topic });
      await pull({ topic, sysFlag: 5, commitOffset: 1 });
    }
    const topicsOf = async () => {
      const table = asObject(jsonOf(await ask('getConsumeStats', { consumerGroup: 'g' }))?.offsetTable) ?? {};
      return [...new Set(Object.keys(table).map((key) => JSON.parse(key).topic))].sort();
    };
    assert.deepEqual(await topicsOf(), ['T', 'U']);
    const subscription = { topic: 'T', subString: '*', tagsSet: [], codeSet: [], subVersion: 1, expressionType: 'TAG' };
    const consumer = { groupName: 'g', subscriptionDataSet: [subscription] };
    const heartbeat = { clientID: 'one', consumerDataSet: [consumer], producerDataSet: [] };
    await ask('heartBeat', {}, { body: JSON.stringify(heartbeat) });
    assert.deepEqual(await topicsOf(), ['T']);
  }),
);
