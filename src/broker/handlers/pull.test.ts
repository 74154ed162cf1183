import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldPull, messagesOf, type TestBroker, withBroker } from '../../../test/broker/sim-broker.ts';
import type { RequestOf } from '../../remoting/mod.ts';

const texts = (response: { body: Uint8Array }) => messagesOf(response).map(({ text }) => text);

async function heartbeat(
  { ask }: Pick<TestBroker, 'ask'>,
  changes: { subString?: string; codeSet?: number[]; subVersion?: number; messageModel?: string; topic?: string } = {},
) {
  const { subString = '*', codeSet = [], subVersion = 1, messageModel = 'CLUSTERING', topic = 'T' } = changes;
  const body = JSON.stringify({
    clientID: 'c',
    producerDataSet: [],
    consumerDataSet: [
      {
        groupName: 'g',
        consumeType: 'CONSUME_PASSIVELY',
        messageModel,
        consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
        subscriptionDataSet: [{ topic, subString, codeSet, tagsSet: [], subVersion, expressionType: 'TAG' }],
      },
    ],
  });
  const answer = await ask('heartBeat', {}, { body });
  assert.equal(answer.code, 0, answer.remark);
}

test(
  'a pull gives what lies behind its offset, with the ends of the queue',
  withBroker(async ({ send, pull }) => {
    for (const body of ['a', 'b', 'c']) await send({ body });
    const answer = await pull({ queueOffset: 1 });
    assert.deepEqual(texts(answer), ['b', 'c']);
    assert.deepEqual(
      [answer.code, answer.remark, answer.fields],
      [
        0,
        'FOUND',
        {
          suggestWhichBrokerId: 0,
          nextBeginOffset: 3,
          minOffset: 0,
          maxOffset: 3,
          topicSysFlag: 0,
          groupSysFlag: 0,
        },
      ],
    );
    assert.deepEqual(texts(await pull({ maxMsgNums: 1 })), ['a']);
    assert.deepEqual(texts(await pull({ maxMsgNums: -5 })), ['a']);
  }),
);

test(
  'each place outside the queue has its code and its next offset',
  withBroker(async ({ send, pull }) => {
    await send({ topic: 'T' });
    const cases: [Partial<RequestOf<'pullMessage'>>, number, string, number][] = [
      [{ queueOffset: 1 }, 19, 'OFFSET_OVERFLOW_ONE', 1],
      [{ queueOffset: 5 }, 21, 'OFFSET_OVERFLOW_BADLY', 1],
      [{ queueId: 1, queueOffset: 0 }, 19, 'NO_MATCHED_LOGIC_QUEUE', 0],
      [{ queueId: 1, queueOffset: 5 }, 21, 'NO_MATCHED_LOGIC_QUEUE', 0],
      [{ subscription: 'other' }, 20, 'NO_MATCHED_MESSAGE', 1],
      [{ queueOffset: -1 }, 21, 'OFFSET_TOO_SMALL', 0],
    ];
    for (const [header, code, status, next] of cases) {
      const answer = await pull(header);
      assert.deepEqual([answer.code, answer.fields.nextBeginOffset], [code, next], `${status}: ${answer.remark}`);
    }
  }),
);

test(
  'pulls that make no sense are refused in the order and with the codes of Apache',
  withBroker(async (broker) => {
    const { send, pull, ask } = broker;
    await send();
    const topic = {
      defaultTopic: 'TBW102',
      readQueueNums: 1,
      writeQueueNums: 1,
      topicFilterType: 'SINGLE_TAG',
      order: false,
    };
    await ask('updateAndCreateTopic', { ...topic, topic: 'closed', perm: 2 });
    const group = (fields: object) =>
      ask('updateAndCreateSubscriptiongroup', {}, { body: JSON.stringify({ groupName: 'off', ...fields }) });
    await group({ consumeEnable: false });
    const cases: [string, Partial<RequestOf<'pullMessage'>>, number, number | undefined][] = [
      ['bad group', { consumerGroup: 'no good' }, 26, undefined],
      ['closed group', { consumerGroup: 'off' }, 16, 2],
      ['unknown topic', { topic: 'nowhere' }, 17, undefined],
      ['closed topic', { topic: 'closed' }, 16, 3],
      ['queue id', { queueId: 4 }, 29, undefined],
      ['queue id', { queueId: -1 }, 29, undefined],
      ['expression', { subscription: '||' }, 23, undefined],
      ['SQL', { expressionType: 'SQL92', subscription: 'a > 1' }, 1, undefined],
      ['no heartbeat', { sysFlag: 0 }, 24, undefined],
      ['lite topic', { liteTopic: 'x' }, 1, undefined],
    ];
    for (const [what, header, code, forbidden] of cases) {
      const answer = await pull(header);
      assert.deepEqual([answer.code, answer.fields.forbiddenType], [code, forbidden], `${what}: ${answer.remark}`);
    }
    await heartbeat(broker);
    assert.equal((await pull({ sysFlag: 0, topic: 'TBW102' })).code, 24);
    assert.equal((await pull({ sysFlag: 0, subVersion: 1 })).code, 0);
    await heartbeat(broker, { messageModel: 'BROADCASTING' });
    await ask('updateAndCreateSubscriptiongroup', {}, { body: '{"groupName":"g","consumeBroadcastEnable":false}' });
    const answer = await pull({ sysFlag: 0 });
    assert.deepEqual([answer.code, answer.fields.forbiddenType], [16, 4]);
  }),
);

test(
  'without a subscription of its own a pull gets what the group subscribed to',
  withBroker(async (broker) => {
    const { send, pull } = broker;
    for (const TAGS of ['A', 'B', 'C']) await send({ body: TAGS, properties: { TAGS } });
    await heartbeat(broker, { subString: 'A || C', codeSet: [65, 67] });
    assert.deepEqual(texts(await pull({ sysFlag: 0 })), ['A', 'C']);
  }),
);

test(
  'a client that changed its subscription after its last heartbeat gets everything, and picks what it wants',
  withBroker(async (broker) => {
    const { send, pull } = broker;
    for (const TAGS of ['A', 'B', 'C']) await send({ body: TAGS, properties: { TAGS } });
    await heartbeat(broker, { subString: 'A', codeSet: [65], subVersion: 5 });
    assert.deepEqual(texts(await pull({ sysFlag: 0, subVersion: 5 })), ['A']);
    assert.deepEqual(texts(await pull({ sysFlag: 0, subVersion: 6 })), ['A', 'B', 'C']);
    await heartbeat(broker, { subString: 'B', codeSet: [66], subVersion: 6 });
    assert.deepEqual(texts(await pull({ sysFlag: 0, subVersion: 6 })), ['B']);
  }),
);

test(
  'a pull may commit, the first time that it is looked at',
  withBroker(async ({ send, pull, ask }) => {
    await send();
    const committed = async () =>
      (await ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0 })).fields.offset;
    await pull({ sysFlag: 4, commitOffset: 1 });
    assert.equal(await committed(), 0);
    await pull({ sysFlag: 5, commitOffset: 1 });
    assert.equal(await committed(), 1);
    await pull({ sysFlag: 5, commitOffset: -1 });
    assert.equal(await committed(), 1);
  }),
);

test(
  'a held pull is answered as soon as a message comes',
  withBroker(async ({ send, pull, broker, world, node }) => {
    await send();
    const held = pull(heldPull);
    await world.sleep(2000);
    assert.equal(broker.stats().heldPulls, 1);
    const sentMs = node.clock.monotonicMs();
    await send({ body: 'late' });
    assert.deepEqual(texts(await held), ['late']);
    assert.ok(node.clock.monotonicMs() - sentMs < 100);
    assert.equal(broker.stats().heldPulls, 0);
  }),
);

test(
  'a pull that nothing comes for is answered 19 when its time is up; without permission to hold, at once',
  withBroker(async ({ send, pull, ask, node }) => {
    await send();
    const atOnceMs = node.clock.monotonicMs();
    assert.equal((await pull({ queueOffset: 1 })).code, 19);
    assert.ok(node.clock.monotonicMs() - atOnceMs < 100);
    const startMs = node.clock.monotonicMs();
    const answer = await ask('pullMessage', heldPull, { timeoutMs: 30_000 });
    const tookMs = node.clock.monotonicMs() - startMs;
    assert.deepEqual([answer.code, answer.fields.nextBeginOffset], [19, 1]);
    assert.ok(tookMs >= 15_000 && tookMs < 16_000, `${tookMs} ms`);
  }),
);

test(
  'messages with other tags move a held pull on after 5 s',
  withBroker(async ({ send, ask }) => {
    await send({ properties: { TAGS: 'A' } });
    const held = ask(
      'litePullMessage',
      { ...heldPull, suspendTimeoutMillis: 20_000, subscription: 'A' },
      { timeoutMs: 30_000 },
    );
    await send({ properties: { TAGS: 'B' } });
    const answer = await held;
    assert.deepEqual([answer.code, answer.fields.nextBeginOffset], [20, 2]);
  }),
);

test(
  'held pulls of a client that goes away are forgotten',
  withBroker(async ({ send, broker, connect, address, world }) => {
    await send();
    const client = connect();
    const lost = client.request(address, 'pullMessage', heldPull);
    await Promise.all([assert.rejects(lost), world.sleep(1000).then(() => client.close())]);
    await world.sleep(1000);
    assert.equal(broker.stats().heldPulls, 0);
    assert.equal(broker.stats().remoting.inFlight, 0);
  }),
);

test(
  'where pull consumers are rejected, only members of a group that is pushed to may pull, and the system itself',
  withBroker(
    async (broker) => {
      await broker.send();
      assert.equal((await broker.pull()).code, 24);
      assert.equal((await broker.pull({ consumerGroup: 'TOOLS_CONSUMER' })).code, 0);
      await heartbeat(broker);
      assert.equal((await broker.pull()).code, 0);
    },
    { properties: { rejectPullConsumerEnable: 'true' } },
  ),
);

test(
  'messages that are on disk only come as well; what cannot be read is an error, and not the end of the connection',
  withBroker(async ({ send, pull, restart, node }) => {
    for (let i = 0; i < 3; i++) await send({ body: String(i) });
    await restart('stop');
    assert.deepEqual(texts(await pull()), ['0', '1', '2']);
    await restart('stop');
    const heal = node.disk.inject({ operation: 'read', code: 'EIO', path: 'commitlog', times: 1000 });
    const broken = await pull();
    assert.equal(broken.code, 1, `${broken.code} ${broken.remark}`);
    heal();
    assert.deepEqual(texts(await pull()), ['0', '1', '2']);
  }),
);

test(
  'what was handed out is counted, by topic too; lite topics are refused',
  withBroker(async ({ send, pull, broker }) => {
    const { fields } = await send();
    assert.equal((await pull({ liteTopic: 'x' })).code, 1);
    assert.equal((await pull({ liteTopic: '' })).code, 0);
    await pull({ queueOffset: 1 });
    const { counters, topics } = broker.stats();
    const { messagesOutTotal, bytesOutTotal, pullsFoundTotal, pullsMissedTotal } = counters;
    assert.deepEqual([fields.queueOffset, messagesOutTotal, pullsFoundTotal, pullsMissedTotal], [0, 1, 1, 1]);
    assert.ok(bytesOutTotal > 90, `${bytesOutTotal}`);
    assert.deepEqual([topics[0].messagesOut, topics[0].bytesOut], [1, bytesOutTotal]);
  }),
);
