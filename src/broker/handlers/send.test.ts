import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf, propertiesText, type SendOptions, withBroker } from '../../../test/broker/sim-broker.ts';
import { encodeBatch, tagsCodeOf } from '../../message/mod.ts';

const uniqKey = 'AC11000100002A139DB0000000000001';

test(
  'a message is stored as it was sent, with what the broker adds, and the answer says where',
  withBroker(async ({ send, pull, node }) => {
    const answer = await send({
      properties: { UNIQ_KEY: uniqKey, TAGS: 'A', KEYS: 'k1 k2', color: 'ümlaut' },
      header: { flag: 9, bornTimestamp: 1234, reconsumeTimes: 0 },
    });
    assert.equal(answer.code, 0, answer.remark);
    const [message] = messagesOf(await pull());
    assert.deepEqual([message.text, message.topic, message.queueId, message.queueOffset], ['hello', 'T', 0, 0]);
    assert.deepEqual([message.flag, message.bornTimestampMs, message.storePort], [9, 1234, 10911]);
    assert.deepEqual(
      [...message.map],
      [
        ['UNIQ_KEY', uniqKey],
        ['TAGS', 'A'],
        ['KEYS', 'k1 k2'],
        ['color', 'ümlaut'],
        ['MSG_REGION', 'DefaultRegion'],
        ['TRACE_ON', 'true'],
        ['CLUSTER', 'DefaultCluster'],
      ],
    );
    const ip = node.address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
    assert.deepEqual(answer.fields, {
      msgId: `${ip.join('')}00002A9F0000000000000000`.toUpperCase(),
      queueId: 0,
      queueOffset: 0,
      transactionId: uniqKey,
    });
    assert.deepEqual([...answer.extra].filter(([name]) => name === 'MSG_REGION' || name === 'TRACE_ON').sort(), [
      ['MSG_REGION', 'DefaultRegion'],
      ['TRACE_ON', 'true'],
    ]);
  }),
);

test(
  'a message without a unique key gets one; properties without an end are ended',
  withBroker(async ({ send, pull }) => {
    const answer = await send({ properties: 'color\u0001red' });
    const [{ map }] = messagesOf(await pull());
    assert.equal(map.get('color'), 'red');
    assert.match(String(map.get('UNIQ_KEY')), /^[0-9A-F]{32}$/);
    assert.equal(answer.fields.transactionId, map.get('UNIQ_KEY'));
  }),
);

test(
  "the broker's own properties replace what the client copied, and POP_CK goes",
  withBroker(async ({ send, pull }) => {
    await send({
      properties: {
        MSG_REGION: 'elsewhere',
        TRACE_ON: 'false',
        CLUSTER: 'x',
        POP_CK: '1 2 3',
        TAGS: 'A',
        color: 'red',
      },
    });
    const [{ map }] = messagesOf(await pull({ subscription: 'A' }));
    assert.deepEqual(
      ['MSG_REGION', 'TRACE_ON', 'CLUSTER', 'POP_CK', 'color'].map((name) => map.get(name)),
      ['DefaultRegion', 'true', 'DefaultCluster', undefined, 'red'],
    );
  }),
);

test(
  'an unknown topic is made by its template; a negative queue id means any queue',
  withBroker(async ({ send, ask }) => {
    const seen = new Set<number | undefined>();
    for (let i = 0; i < 60; i++) seen.add((await send({ topic: 'fresh', queueId: -1 })).fields.queueId);
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3]);
    const config = JSON.parse(Buffer.from((await ask('getTopicConfig', { topic: 'fresh' })).body).toString());
    assert.deepEqual([config.readQueueNums, config.writeQueueNums, config.perm], [4, 4, 6]);
  }),
);

test(
  'sends that make no sense are refused with the code that Apache gives, and store nothing',
  withBroker(
    async ({ send, broker, ask }) => {
      const refused: [string, SendOptions, number, RegExp][] = [
        ['blank topic', { topic: ' ' }, 29, /blank/],
        ['letters', { topic: 'a/../b' }, 29, /illegal characters/],
        ['too long', { topic: 'x'.repeat(128) }, 29, /limit is 127/],
        ['closed', { topic: 'SCHEDULE_TOPIC_XXXX' }, 16, /forbidden/],
        ['closed', { topic: 'RMQ_SYS_TRANS_HALF_TOPIC' }, 16, /forbidden/],
        ['no template', { topic: 'new', header: { defaultTopic: 'nowhere' } }, 17, /apply first/],
        ['queue id', { topic: 'TBW102', queueId: 8 }, 29, /queueId\[8\].*8 queues/],
        ['no body', { body: '' }, 1, /no body/],
        ['long properties', { properties: { a: 'x'.repeat(33_000) } }, 13, /32767/],
        ['properties that only become too long', { properties: { a: 'x'.repeat(32_700) } }, 13, /properties/],
        ['large body', { body: 'x'.repeat(2001) }, 13, /2001 bytes, the limit is 2000/],
        ['half message', { properties: { TRAN_MSG: 'true' } }, 16, /transactional/],
        ['half message by flag', { header: { sysFlag: 4 } }, 16, /transactional/],
        ['timer', { properties: { TIMER_DELIVER_MS: '99999999999999' } }, 1, /timer messages/],
        ['timer', { properties: { TIMER_DELAY_SEC: '10' } }, 1, /delay levels/],
        ['inner batch', { header: { sysFlag: 0x80 } }, 13, /inner batch/],
        ['inner number', { properties: { INNER_NUM: '2' } }, 13, /INNER_NUM/],
      ];
      await send();
      for (const [what, options, code, remark] of refused) {
        const answer = await send(options);
        assert.equal(answer.code, code, `${what}: ${answer.remark}`);
        assert.match(String(answer.remark), remark, what);
        assert.equal(answer.extra.get('MSG_REGION') ?? 'DefaultRegion', 'DefaultRegion');
      }
      assert.equal(broker.stats().counters.messagesInTotal, 1);
      assert.equal((await ask('getMaxOffset', { topic: 'T', queueId: 0 })).fields.offset, 1);
    },
    { properties: { maxMessageSize: '2000' } },
  ),
);

test(
  'without automatic creation an unknown topic is refused',
  withBroker(
    async ({ send }) => {
      const answer = await send();
      assert.equal(answer.code, 17);
      assert.match(String(answer.remark), /^topic\[T\] not exist, apply first please!.*autoCreateTopicEnable is off/);
    },
    { properties: { autoCreateTopicEnable: 'false' } },
  ),
);

test(
  'a broker without write permission refuses sends to ordered topics only, as Apache does',
  withBroker(
    async ({ send, ask }) => {
      const topic = {
        defaultTopic: 'TBW102',
        readQueueNums: 1,
        writeQueueNums: 1,
        perm: 6,
        topicFilterType: 'SINGLE_TAG',
      };
      await ask('updateAndCreateTopic', { ...topic, topic: 'ordered', order: true });
      assert.equal((await send({ topic: 'ordered' })).code, 16);
      assert.equal((await send({ topic: 'plain' })).code, 0);
    },
    { properties: { brokerPermission: '4' } },
  ),
);

test(
  'sends are refused until the configured time',
  withBroker(
    async ({ send, world }) => {
      assert.equal((await send()).code, 1);
      await world.sleep(2000);
      assert.equal((await send()).code, 0);
    },
    { properties: { startAcceptSendRequestTimeStamp: String(Date.UTC(2026, 0, 1) + 1500) } },
  ),
);

test(
  'a batch becomes one record for each message, in order, with consecutive offsets',
  withBroker(async ({ ask, pull }) => {
    const messages = ['one', 'two', 'three'].map((text, index) => ({
      flag: index,
      body: Buffer.from(text),
      properties: Buffer.from(propertiesText({ UNIQ_KEY: `${uniqKey.slice(0, -1)}${index}`, TAGS: text, KEYS: text })),
    }));
    const header = {
      producerGroup: 'p',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 1,
      sysFlag: 0,
      bornTimestamp: 1,
      flag: 0,
      batch: true,
      properties: propertiesText({ UNIQ_KEY: 'OFTHEBATCH' }),
    };
    const answer = await ask('sendBatchMessage', header, { body: encodeBatch(messages) });
    assert.equal(answer.code, 0, answer.remark);
    assert.deepEqual([answer.fields.queueId, answer.fields.queueOffset], [1, 0]);
    const stored = messagesOf(await pull({ queueId: 1 }));
    assert.deepEqual(
      stored.map(({ text, flag, queueOffset, map }) => [text, flag, queueOffset, map.get('TAGS')]),
      [
        ['one', 0, 0, 'one'],
        ['two', 1, 1, 'two'],
        ['three', 2, 2, 'three'],
      ],
    );
    assert.equal(answer.fields.msgId?.split(',').length, 3);
    assert.deepEqual(
      messagesOf(await pull({ queueId: 1, subscription: 'three' })).map(({ text }) => text),
      ['three'],
    );
    const torn = await ask('sendBatchMessage', header, { body: encodeBatch(messages).subarray(0, 50) });
    assert.equal(torn.code, 13);
    const retry = await ask(
      'sendBatchMessage',
      { ...header, topic: '%RETRY%g', queueId: 0 },
      { body: encodeBatch(messages) },
    );
    assert.equal(retry.code, 13);
    assert.match(String(retry.remark), /does not support retry group/);
  }),
);

test(
  'a refusal says the region and whether to trace, as a success does',
  withBroker(async ({ send }) => {
    for (const refused of [await send({ header: { queueId: 9 } }), await send({ body: '' })]) {
      assert.notEqual(refused.code, 0);
      assert.deepEqual([refused.extra.get('MSG_REGION'), refused.extra.get('TRACE_ON')], ['DefaultRegion', 'true']);
    }
  }),
);

test(
  'a message in its own retry topic becomes a dead letter after too many tries, or while the group consumes in order',
  withBroker(async ({ send, ask, pull }) => {
    const retry = (header: NonNullable<SendOptions['header']>) => send({ topic: '%RETRY%g', header });
    const endOf = async (topic: string) => (await ask('getMaxOffset', { topic, queueId: 0 })).fields.offset;
    assert.equal((await retry({ reconsumeTimes: 16 })).code, 0);
    assert.equal((await retry({ reconsumeTimes: 2, maxReconsumeTimes: 2 })).code, 0);
    assert.deepEqual([await endOf('%RETRY%g'), await endOf('%DLQ%g')], [2, 0]);
    await retry({ reconsumeTimes: 17 });
    await retry({ reconsumeTimes: 3, maxReconsumeTimes: 2 });
    assert.deepEqual([await endOf('%RETRY%g'), await endOf('%DLQ%g')], [2, 2]);
    const mqSet = [{ topic: 'T', brokerName: 'b', queueId: 0 }];
    await ask('lockBatchMq', {}, { body: JSON.stringify({ consumerGroup: 'g', clientId: 'c', mqSet }) });
    await retry({ reconsumeTimes: 1 });
    assert.equal(await endOf('%DLQ%g'), 3);
    const [dead] = messagesOf(await pull({ topic: '%DLQ%g' }));
    assert.equal(dead.map.get('DELAY'), '-1');
  }),
);

test(
  'the queue entry carries the hash of the tags',
  withBroker(async ({ send, pull }) => {
    for (const TAGS of ['A', 'B', 'größe']) await send({ properties: { TAGS } });
    for (const tag of ['A', 'B', 'größe']) {
      assert.deepEqual(
        messagesOf(await pull({ subscription: tag })).map(({ map }) => map.get('TAGS')),
        [tag],
      );
    }
    assert.equal(tagsCodeOf('A'), 65);
  }),
);

for (const flushDiskType of ['ASYNC_FLUSH', 'SYNC_FLUSH']) {
  test(
    `${flushDiskType}: what the disk refuses is not acknowledged, and sends go on when the disk does`,
    withBroker(
      async ({ send, pull, node, world }) => {
        await send({ body: 'before' });
        const operation = flushDiskType === 'SYNC_FLUSH' ? 'sync' : 'write';
        const heal = node.disk.inject({ operation, code: 'EIO', path: 'commitlog', times: 1000 });
        const failed = await send({ body: 'lost' });
        assert.ok(failed.code === 14 || failed.code === 1, `${failed.code}: ${failed.remark}`);
        heal();
        await world.sleep(10_000);
        const after = await send({ body: 'after' });
        assert.equal(after.code, 0, after.remark);
        const stored = messagesOf(await pull()).map(({ text }) => text);
        assert.deepEqual([stored[0], stored.at(-1), stored.includes('lost')], ['before', 'after', false]);
      },
      { properties: { flushDiskType } },
    ),
  );
}
