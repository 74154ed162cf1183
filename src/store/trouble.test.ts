import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bodiesOf, inWorld, messageOf, open, pull, put, recordsOf } from './fixture.ts';
import type { Put, PutResult } from './mod.ts';

const sync = { flushDiskType: 'SYNC_FLUSH' };

describe('a put is refused', () => {
  const long = 'x'.repeat(40_000);
  for (const [what, message, cause] of [
    ['with an empty topic', { topic: '' }, /topic is empty/],
    ['with a topic that could leave the directory', { topic: '../../x' }, /cannot be stored/],
    ['with properties beyond 32767 bytes', { keys: long }, /properties of \d+ bytes, the limit is 32767/],
    ['with a body beyond maxMessageSize', { body: 'x'.repeat(3000) }, /body of 3000 bytes, the limit is 2000/],
  ] as const) {
    test(what, async () => {
      await inWorld(1, async (node) => {
        const store = await open(node, { maxMessageSize: 2000 });
        const result = await put(store, messageOf(message));
        assert.equal(result.status, 'message illegal');
        assert.match(result.cause ?? '', cause);
        assert.equal(store.health().maxPhysicalOffset, 0);
        await store.close();
      });
    });
  }

  test('with all of its batch, when one message is illegal', async () => {
    await inWorld(2, async (node) => {
      const store = await open(node);
      const batch: Put[] = [messageOf(), messageOf({ keys: long }), messageOf()];
      const results = await new Promise<PutResult[]>((resolve) => store.putBatch(batch, resolve));
      assert.deepEqual(
        results.map(({ status }) => status),
        Array(3).fill('message illegal'),
      );
      assert.equal(store.maxOffset('topic', 0), 0);
      await store.close();
    });
  });

  test('once the store is closing', async () => {
    await inWorld(3, async (node) => {
      const store = await open(node);
      const closing = store.close();
      const result = await put(store, messageOf());
      assert.deepEqual([result.status, result.cause], ['service not available', 'the broker is stopping']);
      await closing;
    });
  });
});

describe('a batch', () => {
  test('gets consecutive offsets, and becomes readable in one step', async () => {
    await inWorld(1, async (node) => {
      const store = await open(node);
      const seen: number[] = [];
      store.onArrival((_topic, _queueId, offset) => seen.push(offset, store.maxOffset('topic', 0)));
      const batch = Array.from({ length: 5 }, (_, i) => messageOf({ body: `m${i}` }));
      const results = await new Promise<PutResult[]>((resolve) => store.putBatch(batch, resolve));
      assert.deepEqual(
        results.map(({ queueOffset }) => queueOffset),
        [0, 1, 2, 3, 4],
      );
      assert.deepEqual(seen, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
      assert.equal(recordsOf(await pull(store, { offset: 0 })).length, 5);
      await store.close();
    });
  });

  test('that no segment can hold is refused, and one that the rest of this one cannot goes to the next', async () => {
    await inWorld(2, async (node) => {
      const store = await open(node, { mappedFileSizeCommitLog: 4096 });
      const batchOf = (count: number) =>
        new Promise<PutResult[]>((resolve) =>
          store.putBatch(
            Array.from({ length: count }, () => messageOf({ body: 'x'.repeat(500) })),
            resolve,
          ),
        );
      assert.equal((await batchOf(7))[0]?.status, 'message illegal');
      assert.equal((await batchOf(4))[0]?.physicalOffset, 0);
      assert.equal((await batchOf(4))[0]?.physicalOffset, 4096);
      await store.close();
    });
  });
});

describe('when the disk fails', () => {
  for (const operation of ['write', 'sync'] as const) {
    test(`a failed ${operation} is answered with its cause, and the log goes on from its last synced byte`, async () => {
      await inWorld(1, async (node, world) => {
        const store = await open(node, sync);
        await put(store, messageOf({ body: 'before' }));
        const { flushedOffset } = store.health();
        node.disk.inject({ operation, code: 'EIO', path: 'commitlog' });
        const failed = await put(store, messageOf({ body: 'lost' }));
        assert.equal(failed.status, 'service not available');
        assert.match(failed.cause ?? '', new RegExp(`${operation} /store/commitlog/0+: EIO`));
        assert.equal(store.maxOffset('topic', 0), 1);
        const { writable, cause } = store.health();
        assert.deepEqual([writable, cause], [false, failed.cause]);
        await world.until(() => store.health().writable, 5000, 'writable');
        const after = await put(store, messageOf({ body: 'after' }));
        assert.deepEqual([after.status, after.physicalOffset, after.queueOffset], ['ok', flushedOffset, 1]);
        node.crash();
        node.restart();
        const again = await open(node, sync);
        const bodies = recordsOf(await pull(again, { offset: 0 })).map(({ body }) => Buffer.from(body).toString());
        assert.deepEqual(bodies, ['before', 'after']);
        await again.close();
      });
    });
  }

  test('a refused message does not come back behind the one that took its place', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      await inWorld(seed, async (node, world) => {
        const store = await open(node, sync);
        await put(store, messageOf({ body: 'a' }));
        node.disk.inject({ operation: 'sync', code: 'EIO', path: 'commitlog' });
        const refused = await Promise.all(['b', 'c', 'd'].map((body) => put(store, messageOf({ body }))));
        assert.ok(refused.every(({ status }) => status === 'service not available'));
        await world.until(() => store.health().writable, 5000, 'writable');
        await put(store, messageOf({ body: 'e' }));
        node.kill();
        node.restart();
        const again = await open(node, sync);
        assert.deepEqual(bodiesOf(await pull(again, { offset: 0 })), ['a', 'e'], `seed ${seed}`);
        await again.close();
      });
    }
  });

  test('what a start found in the page cache behind a failed sync is safe once it was readable', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      await inWorld(seed, async (node, world) => {
        const store = await open(node);
        await put(store, messageOf({ body: 'a' }));
        node.disk.inject({ operation: 'sync', code: 'EIO', path: 'commitlog' });
        await world.until(() => store.health().cause !== undefined, 5000, 'the sync failed');
        node.kill();
        node.restart();
        const second = await open(node);
        const readable = second.maxOffset('topic', 0);
        node.crash();
        node.restart();
        const third = await open(node);
        assert.equal(third.maxOffset('topic', 0), readable, `seed ${seed}`);
        await third.close();
      });
    }
  });

  test('a full disk refuses with "disk full", and sends go on within 5 s of space coming back', async () => {
    await inWorld(2, async (node, world) => {
      const store = await open(node);
      const capacity = node.disk.capacityBytes;
      node.disk.capacityBytes = node.disk.usedBytes;
      const failed = await put(store, messageOf({ body: 'x'.repeat(20_000) }));
      assert.equal(failed.status, 'service not available');
      assert.match(failed.cause ?? '', /^disk (100|9\d)\.\d % full at \/store\/commitlog/);
      await world.sleep(20_000);
      assert.equal(store.health().writable, false);
      node.disk.capacityBytes = capacity;
      await world.until(() => store.health().writable, 5000, 'writable');
      assert.equal((await put(store, messageOf())).status, 'ok');
      await store.close();
    });
  });

  test('above the warning ratio sends are refused with figures, and taken again below it', async () => {
    await inWorld(3, async (node, world) => {
      const store = await open(node);
      await put(store, messageOf({ body: 'x'.repeat(400_000) }));
      const capacity = node.disk.capacityBytes;
      node.disk.capacityBytes = Math.floor(node.disk.usedBytes / 0.95);
      await world.until(() => !store.health().writable, 5000, 'refused');
      const refused = await put(store, messageOf());
      assert.equal(refused.status, 'service not available');
      assert.match(refused.cause ?? '', /^disk 9\d\.\d % full at \/store\/commitlog, the limit is 90\.0 %/);
      node.disk.capacityBytes = capacity;
      await world.until(() => store.health().writable, 5000, 'writable');
      await store.close();
    });
  });

  test('a sync that only takes long is answered as such, and the message is there', async () => {
    await inWorld(4, async (node, world) => {
      const store = await open(node, sync);
      node.disk.slowness = 20_000;
      const result = await put(store, messageOf());
      assert.equal(result.status, 'flush disk timeout');
      node.disk.slowness = 1;
      await world.until(() => store.maxOffset('topic', 0) === 1, 60_000, 'readable');
      await store.close();
    });
  });

  test('a queue or index that cannot be written holds up no send, and is built again', async () => {
    await inWorld(5, async (node, world) => {
      const store = await open(node);
      node.disk.inject({ operation: 'sync', code: 'EIO', path: 'consumequeue' });
      for (let i = 0; i < 20; i++) assert.equal((await put(store, messageOf({ body: `m${i}` }))).status, 'ok');
      await world.sleep(5000);
      assert.equal(recordsOf(await pull(store, { offset: 0 })).length, 20);
      node.crash();
      node.restart();
      const again = await open(node);
      assert.equal(again.maxOffset('topic', 0), 20);
      await again.close();
    });
  });

  for (const [what, code, operation, moves] of [
    ['moves on after a write that failed', 'ENOSPC', 'write', true],
    ['stays after a sync that failed, whatever later ones say', 'EIO', 'sync', false],
  ] as const) {
    for (const path of ['/store/index', '/store/consumequeue']) {
      test(`of ${path}, the checkpoint ${what}`, async () => {
        await inWorld(6, async (node, world) => {
          const store = await open(node);
          node.disk.inject({ operation, code, path: `${path}/` });
          for (let i = 0; i < 5; i++) await put(store, messageOf({ keys: `k${i}` }));
          await world.sleep(10_000);
          assert.equal(store.health().dispatchBehindBytes === 0, moves);
          await store.close();
          assert.equal(node.disk.namesIn('/store').includes('abort'), !moves);
        });
      });
    }
  }
});

describe('old segments', () => {
  const settings = {
    mappedFileSizeCommitLog: 4096,
    mappedFileSizeConsumeQueue: 20,
    maxIndexNum: 4,
    deleteFileBatchMax: 2,
  };

  test('are deleted once expired, with queue and index files that only know them; the last one stays', async () => {
    await inWorld(1, async (node, world) => {
      const store = await open(node, { ...settings, fileReservedTime: 1, deleteWhen: '02' });
      for (let i = 0; i < 20; i++) await put(store, messageOf({ body: 'x'.repeat(800), keys: `k${i}` }));
      const segments = () => node.disk.namesIn('/store/commitlog').length;
      await world.sleep(1000);
      const before = segments();
      node.clock.jump(3_600_000 + 1000);
      await world.sleep(60_000);
      assert.equal(segments(), before, 'not before the hour');
      node.clock.jump(3_600_000);
      await world.sleep(60_000);
      const min = store.minOffset('topic', 0);
      assert.equal(store.health().minPhysicalOffset, 4096 * (min / 4));
      assert.equal(min, 16);
      assert.equal((await pull(store, { offset: 0 })).nextOffset, 16);
      assert.equal(node.disk.namesIn('/store/consumequeue/topic/0').length, 4);
      assert.ok(node.disk.namesIn('/store/index').length <= 2);
      // Whoever still asks for a deleted place does not bring its segment back.
      assert.equal(await store.recordAt(0), undefined);
      assert.equal(await store.timestampAt('topic', 0, 0), -1);
      assert.equal(node.disk.namesIn('/store/commitlog')[0], '00000000000000016384');
      await store.close();
      const again = await open(node, settings);
      assert.deepEqual([again.minOffset('topic', 0), again.maxOffset('topic', 0)], [16, 20]);
      await again.close();
    });
  });

  test('are deleted before they expire when the disk is fuller than the forcible ratio', async () => {
    await inWorld(2, async (node, world) => {
      const store = await open(node, settings);
      for (let i = 0; i < 20; i++) await put(store, messageOf({ body: 'x'.repeat(800) }));
      await world.sleep(2000);
      node.disk.capacityBytes = Math.floor(node.disk.usedBytes / 0.87);
      await world.until(() => store.health().minPhysicalOffset > 0, 30_000, 'a segment is gone');
      await store.close();
    });
  });
});
