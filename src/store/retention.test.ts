import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld, messageOf, open, pull, put, type Settings } from './fixture.ts';
import type { MessageStore } from './mod.ts';

const small: Settings = {
  mappedFileSizeCommitLog: 4096,
  mappedFileSizeConsumeQueue: 20,
  maxIndexNum: 4,
  deleteFileBatchMax: 2,
};

const allHours = Array.from({ length: 24 }, (_, hour) => hour).join(';');

/** Four messages a segment. */
async function fill(store: MessageStore, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await put(store, messageOf({ body: 'x'.repeat(800), keys: `k${i}` }));
}

const segmentsOf = (node: SimNode) => node.disk.namesIn('/store/commitlog').length;

const fillDiskTo = (node: SimNode, ratio: number) => {
  node.disk.capacityBytes = Math.floor(node.disk.usedBytes / ratio);
};

describe('a disk that fills up', () => {
  test('loses nothing that has not expired unless cleanFileForciblyEnable allows it', async () => {
    await inWorld(1, async (node, world) => {
      const store = await open(node, { ...small, cleanFileForciblyEnable: false });
      await fill(store, 20);
      await world.sleep(2000);
      const before = segmentsOf(node);
      fillDiskTo(node, 0.88);
      await world.sleep(60_000);
      assert.equal(segmentsOf(node), before);
      assert.equal(store.minOffset('topic', 0), 0);
      await store.close();
    });
  });

  test('is noticed while the deletion of old segments takes long', async () => {
    await inWorld(2, async (node, world) => {
      let deleting = false;
      let finish = () => {};
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const { disk } = node.env;
      const remove = async (path: string) => {
        if (path.includes('/commitlog/')) {
          deleting = true;
          await finished;
        }
        await disk.remove(path);
      };
      const slow: SimNode = Object.create(node, { env: { value: { ...node.env, disk: { ...disk, remove } } } });
      const store = await open(slow, small);
      await fill(store, 20);
      await world.sleep(2000);
      fillDiskTo(node, 0.88);
      await world.until(() => deleting, 30_000, 'a segment is being deleted');
      fillDiskTo(node, 0.95);
      await world.until(() => !store.health().writable, 5000, 'sends are refused');
      finish();
      await store.close();
    });
  });
});

test('a log whose first segments were deleted is written and synced after a restart', async () => {
  await inWorld(3, async (node, world) => {
    const settings = { ...small, fileReservedTime: 0, deleteWhen: '00', flushDiskType: 'SYNC_FLUSH' };
    const store = await open(node, settings);
    await fill(store, 20);
    await world.until(() => store.health().minPhysicalOffset > 0, 60_000, 'a segment is gone');
    await store.close();
    const again = await open(node, settings);
    const { minPhysicalOffset } = again.health();
    assert.ok(minPhysicalOffset > 0);
    assert.equal((await put(again, messageOf())).status, 'ok');
    assert.equal(again.health().flushedOffset, again.health().maxPhysicalOffset);
    await again.close();
  });
});

describe('a disk that is fuller than the forcible ratio', () => {
  test('loses as many of the oldest segments as it takes, and no more; the log says so', async () => {
    await inWorld(4, async (node, world) => {
      const big = { mappedFileSizeConsumeQueue: 2000, maxIndexNum: 1000 };
      const store = await open(node, { ...small, ...big, deleteFileBatchMax: 10 });
      await fill(store, 60);
      await world.sleep(2000);
      const before = segmentsOf(node);
      node.disk.capacityBytes = Math.floor(node.disk.usedBytes / 0.99);
      await world.until(() => store.health().minPhysicalOffset > 0, 20_000, 'the first ones go');
      await world.sleep(1000);
      const { diskUsedRatio } = store.health();
      assert.ok(diskUsedRatio <= 0.85, `${diskUsedRatio}`);
      const removed = before - segmentsOf(node);
      assert.ok(removed > 1, `${removed} segments in one run`);
      // With one segment more it would still be too full.
      assert.ok(diskUsedRatio + 8192 / node.disk.capacityBytes > 0.85, `${diskUsedRatio} after ${removed}`);
      assert.ok(world.logLines.some((line) => /store\.retention\.forced disk 9\d\.\d % full/.test(line)));
      await world.until(() => store.health().writable, 5000, 'writable');
      await store.close();
    });
  });

  test('moves the first offsets of all queues, also of those that lose everything; pulls below are told where to go on', async () => {
    await inWorld(5, async (node, world) => {
      const store = await open(node, small);
      for (let i = 0; i < 3; i++) await put(store, messageOf({ topic: 'gone', body: 'x'.repeat(800) }));
      await fill(store, 24);
      await put(store, messageOf({ topic: 'late', body: 'x'.repeat(800) }));
      await world.sleep(2000);
      fillDiskTo(node, 0.9);
      await world.until(() => store.minOffset('gone', 0) === 3, 60_000, 'the first queue is empty');
      await world.sleep(15_000);
      assert.deepEqual([store.minOffset('gone', 0), store.maxOffset('gone', 0)], [3, 3]);
      const min = store.minOffset('topic', 0);
      assert.ok(min > 0 && min < 24);
      assert.equal(store.minOffset('late', 0), 0);
      const pullOf = (topic: string, offset: number) => pull(store, { topic, offset });
      for (const [topic, offset, status, next] of [
        ['gone', 0, 'OFFSET_TOO_SMALL', 3],
        ['gone', 3, 'OFFSET_OVERFLOW_ONE', 3],
        ['gone', 9, 'OFFSET_OVERFLOW_BADLY', 3],
        ['topic', min - 1, 'OFFSET_TOO_SMALL', min],
        ['topic', 24, 'OFFSET_OVERFLOW_ONE', 24],
      ] as const) {
        const got = await pullOf(topic, offset);
        assert.deepEqual([got.status, got.nextOffset], [status, next], `${topic} at ${offset}`);
        got.release();
      }
      const got = await pullOf('topic', min);
      assert.equal(got.status, 'FOUND');
      got.release();
      const next = await put(store, messageOf({ topic: 'gone' }));
      assert.equal(next.queueOffset, 3);
      await store.close();
      const again = await open(node, small);
      await world.until(() => again.minOffset('gone', 0) === 3, 5000, 'the first offset is right again');
      assert.equal(again.maxOffset('gone', 0), 4);
      await again.close();
    });
  });
});

test('a pull that is never released, and one that is under way, keep no segment from being deleted', async () => {
  await inWorld(6, async (node, world) => {
    const store = await open(node, { ...small, fileReservedTime: 0, deleteWhen: '99' });
    await fill(store, 40);
    await world.sleep(2000);
    await store.close();
    const again = await open(node, { ...small, fileReservedTime: 0, deleteWhen: allHours });
    const held = await pull(again, { offset: 0 });
    node.disk.slowness = 50;
    const underWay = pull(again, { offset: 1 });
    await world.until(() => segmentsOf(node) <= 2, 120_000, 'the segments are gone');
    assert.ok(['FOUND', 'MESSAGE_WAS_REMOVING', 'OFFSET_TOO_SMALL'].includes((await underWay).status));
    node.disk.slowness = 1;
    held.release();
    assert.equal((await put(again, messageOf())).status, 'ok');
    await again.close();
  });
});
