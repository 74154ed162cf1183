import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld, messageOf, open, put, type Settings } from './fixture.ts';
import type { MessageStore } from './mod.ts';

const small: Settings = {
  mappedFileSizeCommitLog: 4096,
  mappedFileSizeConsumeQueue: 20,
  maxIndexNum: 4,
  deleteFileBatchMax: 2,
};

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
