import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SysFlag } from '../message/mod.ts';
import { bodiesOf, inWorld, messageOf, open, pull, put } from './fixture.ts';
import type { MessageStore, PutResult } from './mod.ts';

async function filled(store: MessageStore, count: number, size = 10): Promise<void> {
  for (let i = 0; i < count; i++) await put(store, messageOf({ body: `${i}`.padEnd(size, '.') }));
}

describe('a pull', () => {
  test('is answered at once when everything is in memory', async () => {
    await inWorld(1, async (node) => {
      const store = await open(node);
      await filled(store, 3);
      const got = store.get({ topic: 'topic', queueId: 0, offset: 0, maxMessages: 32 });
      assert.ok(!(got instanceof Promise));
      assert.equal(got.chunks.length, 1, 'neighbours in the log are one chunk');
      got.release();
      await store.close();
    });
  });

  for (const [what, offset, status, next] of [
    ['before the first message', 0, 'OFFSET_TOO_SMALL', 4],
    ['at the end', 10, 'OFFSET_OVERFLOW_ONE', 10],
    ['beyond the end', 12, 'OFFSET_OVERFLOW_BADLY', 10],
  ] as const) {
    test(`${what} says so, and where to go on`, async () => {
      await inWorld(2, async (node, world) => {
        // The first four messages are in a segment that is deleted.
        const settings = {
          mappedFileSizeCommitLog: 4096,
          fileReservedTime: 0,
          deleteWhen: '00',
          deleteFileBatchMax: 1,
        };
        const store = await open(node, { ...settings, mappedFileSizeConsumeQueue: 20 });
        await filled(store, 10, 800);
        await world.sleep(12_000);
        const got = await pull(store, { offset });
        assert.deepEqual([got.status, got.nextOffset, got.minOffset, got.maxOffset], [status, next, 4, 10]);
        await store.close();
      });
    });
  }

  test('of a queue that does not exist, or is empty, begins at 0', async () => {
    await inWorld(3, async (node) => {
      const store = await open(node);
      assert.equal((await pull(store, { offset: 5 })).status, 'NO_MATCHED_LOGIC_QUEUE');
      assert.equal((await pull(store, { offset: 5 })).nextOffset, 0);
      await store.close();
    });
  });

  test('gets at most 32 messages or 256 KiB of what is recent, and 8 or 64 KiB of what is old', async () => {
    await inWorld(4, async (node) => {
      const store = await open(node);
      await filled(store, 100);
      for (let i = 0; i < 10; i++) await put(store, messageOf({ queueId: 1, body: 'x'.repeat(50_000) }));
      assert.equal((await pull(store, { offset: 0, maxMessages: 100 })).messageCount, 32);
      assert.equal((await pull(store, { offset: 0, maxMessages: 5 })).messageCount, 5);
      assert.equal((await pull(store, { offset: 0, queueId: 1 })).messageCount, 5);
      await store.close();
    });
    // A machine with so little memory that 40 % of it is less than the log.
    await inWorld(5, async (_, world) => {
      const store = await open(world.node('small', { memoryTotalBytes: 1000 }));
      await filled(store, 100);
      for (let i = 0; i < 10; i++) await put(store, messageOf({ queueId: 1, body: 'x'.repeat(25_000) }));
      const got = await pull(store, { offset: 0, maxMessages: 100 });
      assert.deepEqual([got.messageCount, got.behindMemory], [8, true]);
      assert.equal((await pull(store, { offset: 0, queueId: 1 })).messageCount, 2);
      await store.close();
    });
  });

  test('gets one message at least, however large', async () => {
    await inWorld(6, async (node) => {
      const store = await open(node, { mappedFileSizeCommitLog: 2 << 20 });
      await put(store, messageOf({ body: 'x'.repeat(300_000) }));
      await put(store, messageOf({ body: 'y' }));
      const got = await pull(store, { offset: 0 });
      assert.deepEqual([got.messageCount, got.nextOffset], [1, 1]);
      await store.close();
    });
  });

  test('skips what its filter refuses, and moves on', async () => {
    await inWorld(7, async (node) => {
      const store = await open(node);
      for (let i = 0; i < 10; i++) await put(store, messageOf({ body: `m${i}`, tags: i % 2 === 0 ? 'even' : 'odd' }));
      const even = messageOf({ tags: 'even' }).tagsCode;
      const got = await pull(store, { offset: 0, accepts: (code) => code === even });
      assert.deepEqual(bodiesOf(got), ['m0', 'm2', 'm4', 'm6', 'm8']);
      assert.equal(got.nextOffset, 10);
      const none = await pull(store, { offset: 3, accepts: () => false });
      assert.deepEqual([none.status, none.nextOffset], ['NO_MATCHED_MESSAGE', 10]);
      await store.close();
    });
  });

  test('reads from the files what is no longer in memory, and mixes both', async () => {
    await inWorld(8, async (node) => {
      const before = await open(node, { mappedFileSizeCommitLog: 4096 });
      for (let i = 0; i < 30; i++) await put(before, messageOf({ body: `m${i}`, queueId: i % 2 }));
      await before.close();
      const store = await open(node, { mappedFileSizeCommitLog: 4096 });
      for (let i = 30; i < 40; i++) await put(store, messageOf({ body: `m${i}`, queueId: i % 2 }));
      const got = await pull(store, { offset: 10 });
      const all = Array.from({ length: 10 }, (_, i) => `m${20 + 2 * i}`);
      assert.deepEqual(bodiesOf(got), all);
      await store.close();
    });
  });

  test('keeps its bytes until they are released, however far the log goes on', async () => {
    await inWorld(9, async (node) => {
      const store = await open(node);
      await filled(store, 3);
      const got = await pull(store, { offset: 0 });
      for (let i = 0; i < 60; i++) await put(store, messageOf({ queueId: 1, body: 'x'.repeat(100_000) }));
      assert.deepEqual(
        bodiesOf(got).map((body) => body.replaceAll('.', '')),
        ['0', '1', '2'],
      );
      got.release();
      await store.close();
    });
  });

  test('does not see half messages, which take no queue offset', async () => {
    await inWorld(10, async (node) => {
      const store = await open(node);
      const half = await put(store, messageOf({ body: 'half', sysFlag: SysFlag.TRANSACTION_PREPARED }));
      assert.equal(half.queueOffset, 0);
      await put(store, messageOf({ body: 'whole' }));
      assert.deepEqual(bodiesOf(await pull(store, { offset: 0 })), ['whole']);
      assert.ok((await store.recordAt(half.physicalOffset)) !== undefined);
      await store.close();
    });
  });
});

describe('a search by time', () => {
  test('keeps the boundary rules', async () => {
    await inWorld(1, async (node, world) => {
      const store = await open(node);
      const times: number[] = [];
      // Pairs with one stamp each, 100 ms apart.
      for (let i = 0; i < 5; i++) {
        const results = await new Promise<PutResult[]>((resolve) =>
          store.putBatch([messageOf(), messageOf()], resolve),
        );
        times.push(...results.map(({ storeTimestampMs }) => storeTimestampMs));
        await world.sleep(100);
      }
      const [first = 0] = times;
      const lastTime = times[9] ?? 0;
      const search = (time: number, boundary: 'lower' | 'upper') => store.offsetByTime('topic', 0, time, boundary);
      assert.deepEqual([await search(first - 1, 'lower'), await search(first - 1, 'upper')], [0, 0]);
      assert.deepEqual([await search(times[4] ?? 0, 'lower'), await search(times[4] ?? 0, 'upper')], [4, 5]);
      assert.deepEqual(
        [await search((times[4] ?? 0) + 1, 'lower'), await search((times[4] ?? 0) + 1, 'upper')],
        [6, 5],
      );
      assert.deepEqual([await search(lastTime + 1, 'lower'), await search(lastTime + 1, 'upper')], [10, 9]);
      assert.equal(await store.offsetByTime('topic', 7, first, 'lower'), 0);
      assert.equal(await store.earliestTimestampMs('topic', 0), first);
      assert.equal(await store.timestampAt('topic', 0, 9), lastTime);
      assert.equal(await store.timestampAt('topic', 0, 10), -1);
      await store.close();
    });
  });

  test('sees stamps that never go back, even when the clock does', async () => {
    await inWorld(2, async (node) => {
      const store = await open(node);
      const before = await put(store, messageOf());
      node.clock.jump(-3_600_000);
      const after = await put(store, messageOf());
      assert.ok(after.storeTimestampMs >= before.storeTimestampMs);
      await store.close();
    });
  });
});
