import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld, open } from './fixture.ts';

/** An empty file, and the directories above it. */
async function touch(node: SimNode, path: string): Promise<void> {
  const names = path.split('/').slice(1, -1);
  for (const [depth] of names.entries()) {
    await node.env.disk.makeDirectory(`/${names.slice(0, depth + 1).join('/')}`).catch(() => {});
  }
  const file = await node.env.disk.open(path, 'create');
  await file.close();
}

describe('a store directory', () => {
  test('of a Java broker without compaction topics is opened: such a broker leaves a position file too', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/checkpoint');
      await touch(node, '/store/compaction/position-checkpoint');
      const store = await open(node);
      await store.close();
    });
  });

  test('with compacted topics is refused, naming the place', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/checkpoint');
      await touch(node, '/store/compaction/compactionLog/T/0/00000000000000000000');
      await assert.rejects(open(node), /compaction\/compactionLog cannot be read/);
    });
  });

  test('that is no store is refused', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/holiday.jpg');
      await assert.rejects(open(node), /neither empty nor a RocketMQ store/);
    });
  });
});
