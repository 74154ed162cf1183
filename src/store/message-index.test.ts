import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld } from './fixture.ts';
import { decodeEntry, decodeHeader, entryPosition, indexFileSize, indexKeyHash, slotPosition } from './index-file.ts';
import { MessageIndex } from './message-index.ts';

const shape = { slotsMax: 8, entriesMax: 20 };

async function indexOn(node: SimNode, physicalOffset = Number.MAX_SAFE_INTEGER, clean = true): Promise<MessageIndex> {
  await node.env.disk.makeDirectory('/index');
  const { disk, host } = node.env;
  const index = new MessageIndex({ disk, host, directory: '/index', shape, stagedMax: 1000 });
  await index.load(physicalOffset, clean);
  return index;
}

const startMs = Date.UTC(2026, 5, 1);
const key = (n: number) => indexKeyHash(`topic#k${n}`);

function addAll(index: MessageIndex, from: number, to: number): void {
  for (let n = from; n < to; n++) index.add(key(n % 5), n * 100, startMs + n * 1000);
}

const all = (index: MessageIndex, n: number) => index.query(`topic#k${n}`, 100, 0, Number.MAX_SAFE_INTEGER);

describe('the index', () => {
  test('finds by key what is staged, what is written, and both, newest first', async () => {
    await inWorld(1, async (node) => {
      const index = await indexOn(node);
      addAll(index, 0, 10);
      assert.deepEqual(await all(index, 2), [700, 200]);
      await index.write();
      assert.deepEqual(await all(index, 2), [700, 200]);
      addAll(index, 10, 15);
      assert.deepEqual(await all(index, 2), [1200, 700, 200]);
      assert.deepEqual(await index.query('topic#k2', 2, 0, Number.MAX_SAFE_INTEGER), [1200, 700]);
      assert.deepEqual(await all(index, 7), []);
    });
  });

  test('goes by time, in whole seconds', async () => {
    await inWorld(2, async (node) => {
      const index = await indexOn(node);
      addAll(index, 0, 15);
      await index.write();
      assert.deepEqual(await index.query('topic#k2', 9, startMs + 3000, startMs + 9000), [700]);
      assert.deepEqual(await index.query('topic#k2', 9, startMs + 20_000, startMs + 90_000), []);
    });
  });

  test('writes the bytes that RocketMQ reads: header, slots, chains', async () => {
    await inWorld(3, async (node) => {
      const index = await indexOn(node);
      addAll(index, 0, 6);
      await index.write();
      const [name = ''] = node.disk.namesIn('/index');
      assert.match(name, /^202606\d{11}$/);
      const bytes = node.disk.peek(`/index/${name}`);
      assert.equal(bytes.length, indexFileSize(shape));
      assert.deepEqual(decodeHeader(bytes, shape), {
        beginTimestampMs: startMs,
        endTimestampMs: startMs + 5000,
        beginPhysicalOffset: 0,
        endPhysicalOffset: 500,
        slotCount: new Set([0, 1, 2, 3, 4].map((n) => key(n) % shape.slotsMax)).size,
        entryCount: 7,
      });
      const newest = Buffer.from(bytes).readInt32BE(slotPosition(key(0) % shape.slotsMax));
      const entry = decodeEntry(bytes, entryPosition(shape, 6));
      assert.deepEqual([entry.keyHash, entry.physicalOffset, entry.seconds], [key(0), 500, 5]);
      assert.equal(newest, 6);
    });
  });

  test('goes on in a new file when one is full, and removes old ones below an offset, never the newest', async () => {
    await inWorld(4, async (node) => {
      const index = await indexOn(node);
      addAll(index, 0, 50);
      await index.write();
      assert.equal(node.disk.namesIn('/index').length, 3);
      assert.equal((await all(index, 1)).length, 10);
      await index.removeBelow(2500);
      assert.equal(node.disk.namesIn('/index').length, 2);
      await index.removeBelow(1_000_000);
      assert.equal(node.disk.namesIn('/index').length, 1);
    });
  });

  test('forgets what lies at or beyond an offset, and keeps the chains below it', async () => {
    for (let cut = 0; cut <= 45; cut++) {
      await inWorld(5, async (node) => {
        const index = await indexOn(node);
        addAll(index, 0, 30);
        await index.write();
        addAll(index, 30, 45);
        await index.write();
        const again = await indexOn(node, cut * 100, false);
        for (let n = 0; n < 5; n++) {
          const expected = Array.from({ length: cut }, (_, i) => i)
            .filter((i) => i % 5 === n)
            .map((i) => i * 100)
            .reverse();
          assert.deepEqual(await all(again, n), expected, `key ${n}, cut at ${cut}`);
        }
        addAll(again, cut, 45);
        await again.write();
        assert.equal((await all(again, 3)).length, 9);
      });
    }
  });

  test('keeps what is staged when a write fails, and writes it with the next', async () => {
    await inWorld(6, async (node) => {
      const index = await indexOn(node);
      addAll(index, 0, 10);
      await index.write();
      addAll(index, 10, 15);
      node.disk.inject({ operation: 'write', code: 'ENOSPC', path: '/index/' });
      await assert.rejects(index.write(), /ENOSPC/);
      assert.deepEqual(await all(index, 2), [1200, 700, 200]);
      await index.write();
      assert.deepEqual(await all(index, 2), [1200, 700, 200]);
    });
  });

  test('loses no key when a write fails at any of its steps', async () => {
    await inWorld(8, async (node) => {
      for (const operation of ['write', 'sync'] as const) {
        for (let skip = 0; skip < 4; skip++) {
          const index = await indexOn(node);
          await index.clear();
          addAll(index, 0, 10);
          await index.write();
          addAll(index, 10, 15);
          const heal = node.disk.inject({ operation, code: 'EIO', path: '/index/', skip });
          await index.write().catch(() => {});
          heal();
          addAll(index, 15, 18);
          await index.write();
          assert.deepEqual(await all(index, 2), [1700, 1200, 700, 200], `${operation} ${skip}`);
          await index.close();
        }
      }
    });
  });

  test('leaves no files behind when one cannot be made, however often it is tried', async () => {
    await inWorld(7, async (node) => {
      const index = await indexOn(node);
      const { descriptorCount } = node.process;
      for (let n = 0; n < 10; n++) {
        const operation = n % 2 === 0 ? 'truncate' : 'sync directory';
        node.disk.inject({ operation, code: 'EIO', path: '/index' });
        addAll(index, n, n + 1);
        await assert.rejects(index.write(), /EIO/);
      }
      assert.equal(node.process.descriptorCount, descriptorCount);
      await index.write();
      assert.equal(node.disk.namesIn('/index').length, 1);
      assert.deepEqual(await all(index, 0), [500, 0]);
    });
  });
});
