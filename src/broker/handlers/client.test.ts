import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBroker } from '../../../test/broker/sim-broker.ts';

function heartbeat(clientID: string, more: object = {}) {
  return JSON.stringify({
    clientID,
    producerDataSet: [{ groupName: 'p' }],
    consumerDataSet: [
      {
        groupName: 'g',
        consumeType: 'CONSUME_PASSIVELY',
        messageModel: 'CLUSTERING',
        consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
        subscriptionDataSet: [{ topic: 'T', subString: '*', codeSet: [], tagsSet: [], subVersion: 1 }],
      },
    ],
    ...more,
  });
}

const jsonOf = ({ body }: { body: Uint8Array }) => JSON.parse(Buffer.from(body).toString());

test(
  'a heartbeat makes the group, its retry topic and the registrations, and the next client is announced',
  withBroker(async ({ ask, connect, address, broker, world }) => {
    const told: string[] = [];
    const first = connect({
      notifyConsumerIdsChanged: ({ consumerGroup }) => {
        told.push(consumerGroup);
        return {};
      },
    });
    const answer = await first.request(address, 'heartBeat', {}, { body: Buffer.from(heartbeat('one')) });
    assert.deepEqual(
      [answer.extra.get('IS_SUPPORT_HEART_BEAT_V2'), answer.extra.get('IS_SUB_CHANGE')],
      ['true', 'true'],
    );
    assert.equal(jsonOf(await ask('getTopicConfig', { topic: '%RETRY%g' })).readQueueNums, 1);
    assert.equal(jsonOf(await ask('getSubscriptiongroupConfig', { group: 'g' })).groupName, 'g');
    assert.deepEqual(jsonOf(await ask('getConsumerListByGroup', { consumerGroup: 'g' })), { consumerIdList: ['one'] });
    await ask('heartBeat', {}, { body: heartbeat('two') });
    await world.sleep(10);
    assert.deepEqual(told, ['g', 'g']);
    assert.deepEqual([broker.stats().producerCount, broker.stats().consumerCount], [2, 2]);
    await ask('unregisterClient', { clientID: 'two', producerGroup: 'p', consumerGroup: 'g' });
    await world.sleep(10);
    assert.deepEqual(told, ['g', 'g', 'g']);
    await first.close();
    await world.sleep(10);
    assert.equal((await ask('getConsumerListByGroup', { consumerGroup: 'g' })).code, 1);
  }),
);

test(
  'a heartbeat with a fingerprint may leave out the subscriptions while it stays the same',
  withBroker(async ({ ask }) => {
    const beat = async (more: object) =>
      (await ask('heartBeat', {}, { body: heartbeat('one', more) })).extra.get('IS_SUB_CHANGE');
    assert.equal(await beat({ heartbeatFingerprint: 7 }), 'false');
    assert.equal(await beat({ heartbeatFingerprint: 7, withoutSub: true }), 'false');
    assert.equal(await beat({ heartbeatFingerprint: 8, withoutSub: true }), 'true');
    const group = jsonOf(await ask('getConsumerConnectionList', { consumerGroup: 'g' }));
    assert.deepEqual(Object.keys(group.subscriptionTable), ['T']);
  }),
);

test(
  'the retry topic of a group that reads an ordered topic stays ordered when subscriptions are left out',
  withBroker(async ({ ask }) => {
    const topic = { defaultTopic: '', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG' };
    await ask('updateAndCreateTopic', { ...topic, topic: 'T', order: true });
    const consumer = JSON.parse(heartbeat('one')).consumerDataSet[0];
    const without = { consumerDataSet: [{ ...consumer, subscriptionDataSet: [] }], withoutSub: true };
    for (const more of [{}, without]) {
      await ask('heartBeat', {}, { body: heartbeat('one', { heartbeatFingerprint: 7, ...more }) });
      assert.equal(jsonOf(await ask('getTopicConfig', { topic: '%RETRY%g' })).order, true);
    }
  }),
);

test(
  'who is connected is told with address, language and version',
  withBroker(async ({ ask, world }) => {
    await ask('heartBeat', {}, { body: heartbeat('one') });
    const { host } = { host: world.node('client').address };
    const [consumer] = jsonOf(await ask('getConsumerConnectionList', { consumerGroup: 'g' })).connectionSet;
    const [producer] = jsonOf(await ask('getProducerConnectionList', { producerGroup: 'p' })).connectionSet;
    assert.equal(consumer.clientId, 'one');
    assert.ok(consumer.clientAddr.startsWith(`${host}:`), consumer.clientAddr);
    assert.deepEqual(producer, consumer);
    assert.equal((await ask('getConsumerConnectionList', { consumerGroup: 'x' })).code, 206);
    assert.equal((await ask('getProducerConnectionList', { producerGroup: 'x' })).code, 1);
  }),
);

test(
  'heartbeats that make no sense are answered, and change nothing',
  withBroker(async ({ ask, broker }) => {
    for (const body of ['', '[]', '{', '{"clientID":""}', '{"consumerDataSet":[]}', `{"a":${'['.repeat(100)}`]) {
      const answer = await ask('heartBeat', {}, { body });
      assert.equal(answer.code, 1, body);
      assert.match(String(answer.remark), /JSON|clientID/);
    }
    const many = Array.from({ length: 5000 }, (_, i) => ({ groupName: `p${i}` }));
    assert.equal((await ask('heartBeat', {}, { body: heartbeat('one', { producerDataSet: many }) })).code, 1);
    const strange = {
      consumerDataSet: [7, null, {}, { groupName: 'no good' }, { groupName: 'h', subscriptionDataSet: 'x' }],
    };
    assert.equal((await ask('heartBeat', {}, { body: heartbeat('one', strange) })).code, 0);
    assert.equal(broker.stats().consumerCount, 1);
  }),
);

test(
  'tag filters are served, others are refused before a consumer starts with them',
  withBroker(async ({ ask }) => {
    const check = async (expressionType: string) =>
      (await ask('checkClientConfig', {}, { body: JSON.stringify({ subscriptionData: { expressionType } }) })).code;
    assert.deepEqual([await check('TAG'), await check(''), await check('SQL92')], [0, 0, 1]);
    assert.equal((await ask('checkClientConfig', {})).code, 0);
  }),
);

test(
  'queues are locked for one client of a group at a time',
  withBroker(async ({ ask }) => {
    const mqSet = [{ topic: 'T', brokerName: 'b', queueId: 0 }];
    const body = (clientId: string) => JSON.stringify({ consumerGroup: 'g', clientId, mqSet });
    const lock = async (clientId: string) => jsonOf(await ask('lockBatchMq', {}, { body: body(clientId) })).lockOKMQSet;
    assert.deepEqual(await lock('one'), mqSet);
    assert.deepEqual(await lock('two'), []);
    assert.equal((await ask('unlockBatchMq', {}, { body: body('one') })).code, 0);
    assert.deepEqual(await lock('two'), mqSet);
    for (const wrong of ['{}', '{"consumerGroup":"g","clientId":"c","mqSet":[{}]}', 'x']) {
      assert.equal((await ask('lockBatchMq', {}, { body: wrong })).code, 1, wrong);
    }
  }),
);
