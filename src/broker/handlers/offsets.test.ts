import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf, withBroker } from '../../../test/broker/sim-broker.ts';

test(
  'a group without an offset starts at 0 in a young queue, and has none in one that never had a message',
  withBroker(async ({ send, ask }) => {
    const query = (queueId: number, more = {}) =>
      ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId, ...more });
    await send();
    assert.deepEqual([(await query(0)).code, (await query(0)).fields.offset], [0, 0]);
    assert.equal((await query(0, { setZeroIfNotFound: false })).code, 22);
    assert.equal((await query(1)).code, 22);
  }),
);

test(
  'an offset is committed for known groups and topics only, and is found again after a restart',
  withBroker(async ({ send, ask, pull, restart }) => {
    await send();
    const commit = (changes = {}) =>
      ask('updateConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0, commitOffset: 1, ...changes });
    assert.equal((await commit()).code, 26);
    await pull();
    assert.equal((await commit()).code, 0);
    for (const [changes, code] of [
      [{ topic: 'nowhere' }, 17],
      [{ queueId: -1 }, 29],
      [{ queueId: 70_000 }, 29],
      [{ commitOffset: -1 }, 29],
    ] as const) {
      assert.equal((await commit(changes)).code, code, JSON.stringify(changes));
    }
    await restart('stop');
    const answer = await ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0 });
    assert.equal(answer.fields.offset, 1);
  }),
);

test(
  'offsets are written every few seconds, so that a kill loses the newest only',
  withBroker(async ({ send, ask, pull, restart, world }) => {
    for (let i = 0; i < 3; i++) await send();
    await pull();
    const commit = (commitOffset: number) =>
      ask('updateConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0, commitOffset });
    await commit(1);
    await world.sleep(6000);
    await commit(2);
    await restart('kill');
    const answer = await ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0 });
    assert.equal(answer.fields.offset, 1);
  }),
);

test('after power failed, offsets beyond what the log still has skip nothing of what comes then', async () => {
  let lostCount = 0;
  for (let seed = 1; seed <= 5; seed++) {
    await withBroker(
      async ({ send, ask, pull, restart, world, node }) => {
        for (let i = 0; i < 3; i++) await send({ body: 'before' });
        await pull();
        const queue = { consumerGroup: 'g', topic: 'T', queueId: 0 };
        await ask('updateConsumerOffset', { ...queue, commitOffset: 3 });
        await world.sleep(6000);
        node.crash();
        await restart('kill');
        // The first request finds that the connection is dead.
        await assert.rejects(ask('queryConsumerOffset', queue), /closed the connection/);
        const offset = (await ask('queryConsumerOffset', queue)).fields.offset ?? -1;
        if (offset < 3) lostCount += 1;
        for (let i = 0; i < 3; i++) await send({ body: 'after' });
        const texts = messagesOf(await pull({ queueOffset: offset })).map(({ text }) => text);
        assert.deepEqual(texts.slice(-3), ['after', 'after', 'after'], `seed ${seed}`);
      },
      { seed, properties: { flushIntervalCommitLog: '1000000', flushIntervalConsumeQueue: '1000000' } },
    )();
  }
  assert.ok(lostCount > 0, 'power failures took something');
});

test(
  'the ends of a queue, and offsets by time',
  withBroker(async ({ send, ask, world }) => {
    const startMs = Date.UTC(2026, 0, 1);
    await world.sleep(1000);
    await send();
    await world.sleep(1000);
    await send();
    const queue = { topic: 'T', queueId: 0 };
    assert.equal((await ask('getMaxOffset', queue)).fields.offset, 2);
    assert.equal((await ask('getMinOffset', queue)).fields.offset, 0);
    const firstMs = (await ask('getEarliestMsgStoretime', queue)).fields.timestamp ?? 0;
    assert.ok(firstMs >= startMs + 1000 && firstMs < startMs + 1500, String(firstMs - startMs));
    const at = async (timestamp: number, boundaryType?: string) =>
      (await ask('searchOffsetByTimestamp', { ...queue, timestamp, boundaryType })).fields.offset;
    assert.deepEqual([await at(startMs), await at(firstMs + 1), await at(startMs + 60_000)], [0, 1, 2]);
    assert.deepEqual([await at(firstMs + 1, 'UPPER'), await at(startMs + 60_000, 'UPPER')], [0, 1]);
    const empty = { topic: 'T', queueId: 3 };
    assert.equal((await ask('getMaxOffset', empty)).fields.offset, 0);
    assert.equal((await ask('getEarliestMsgStoretime', empty)).fields.timestamp, -1);
  }),
);
