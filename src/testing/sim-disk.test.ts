import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure } from '../common/mod.ts';
import type { Disk, File } from '../io/mod.ts';
import type { SimNode } from './sim-node.ts';
import { SimWorld } from './sim-world.ts';

/** Runs under seeds 1 … 40, and gives what each came to. */
async function underSeeds<T>(proof: (node: SimNode, world: SimWorld) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    const world = new SimWorld({ seed });
    results.push(
      await world.run(async () => {
        const node = world.node('one');
        await node.env.disk.makeDirectory('/data');
        await node.env.disk.syncDirectory('/');
        return proof(node, world);
      }),
    );
  }
  return results;
}

async function createFile(disk: Disk, path: string): Promise<File> {
  const file = await disk.open(path, 'create');
  await disk.syncDirectory('/data');
  return file;
}

async function fill(file: File, byte: number, length: number, position = 0): Promise<void> {
  await file.write(new Uint8Array(length).fill(byte), 0, length, position);
}

const exists = (node: SimNode, path: string) => node.disk.tree.find('find', path) !== undefined;

test('what was synced survives every crash', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 10_000);
    await file.syncData();
    await fill(file, 2, 5000, 10_000);
    node.crash();
    const bytes = node.disk.peek('/data/f');
    assert.ok(bytes.length >= 10_000);
    assert.ok(bytes.subarray(0, 10_000).every((byte) => byte === 1));
  });
});

test('of what was not synced, a crash keeps any sectors: none, some, all', async () => {
  const kept = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await file.truncate(8192);
    await file.syncData();
    await fill(file, 3, 8192);
    node.crash();
    const bytes = node.disk.peek('/data/f');
    let sectors = 0;
    for (let at = 0; at < 8192; at += 512) {
      const sector = bytes.subarray(at, at + 512);
      assert.ok(
        sector.every((byte) => byte === sector[0]),
        'a sector is written whole',
      );
      if (sector[0] === 3) sectors += 1;
    }
    return sectors;
  });
  assert.ok(kept.includes(0) && kept.includes(16) && kept.some((count) => count > 0 && count < 16), `${kept}`);
});

test('growth that was not synced may be lost', async () => {
  const sizes = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 1000);
    await file.syncData();
    await fill(file, 1, 1000, 1000);
    node.crash();
    return node.disk.peek('/data/f').length;
  });
  assert.ok(sizes.includes(1000) && sizes.includes(2000));
  assert.ok(sizes.every((size) => size >= 1000 && size <= 2000));
});

test('a cut that was not synced may be undone', async () => {
  const results = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 9000);
    await file.syncData();
    await file.truncate(100);
    node.crash();
    const bytes = node.disk.peek('/data/f');
    assert.ok(bytes.every((byte) => byte === 1));
    return bytes.length;
  });
  assert.deepEqual([...new Set(results)].sort(), [100, 9000]);
});

test('a cut that was synced stays', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 9000);
    await file.syncData();
    await file.truncate(100);
    await file.syncData();
    await file.truncate(9000);
    node.crash();
    const bytes = node.disk.peek('/data/f');
    assert.ok(bytes.subarray(100).every((byte) => byte === 0));
  });
});

test('a new file may be lost without a sync of its directory, and not with one', async () => {
  const results = await underSeeds(async (node) => {
    await createFile(node.env.disk, '/data/safe');
    const file = await node.env.disk.open('/data/unsafe', 'create');
    await file.syncData();
    node.crash();
    assert.ok(exists(node, '/data/safe'));
    return exists(node, '/data/unsafe');
  });
  assert.ok(results.includes(true) && results.includes(false));
});

test('a rename that was not synced leaves the old name or the new, never none', async () => {
  const results = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f.tmp');
    await fill(file, 1, 10);
    await file.syncData();
    await node.env.disk.rename('/data/f.tmp', '/data/f');
    node.crash();
    assert.notEqual(exists(node, '/data/f.tmp'), exists(node, '/data/f'));
    return exists(node, '/data/f');
  });
  assert.ok(results.includes(true) && results.includes(false));
});

test('a kill loses nothing that the kernel has taken', async () => {
  await underSeeds(async (node) => {
    const file = await node.env.disk.open('/data/f', 'create');
    await fill(file, 1, 9000);
    node.kill();
    assert.ok(node.disk.peek('/data/f').every((byte) => byte === 1));
  });
});

test('a write under way when the process is killed is done, half done or not done', async () => {
  const sizes = await underSeeds(async (node, world) => {
    const file = await createFile(node.env.disk, '/data/f');
    fill(file, 1, 9000);
    await Promise.resolve();
    node.kill();
    await world.sleep(10);
    return node.disk.peek('/data/f').length;
  });
  assert.ok(sizes.includes(0) && sizes.some((size) => size > 0));
});

test('a failed sync leaves the old contents or the new to read, and no later sync makes them durable', async () => {
  const read = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 4096);
    await file.syncData();
    await fill(file, 2, 4096);
    node.disk.inject({ operation: 'sync', code: 'EIO' });
    await assert.rejects(file.syncData(), { code: 'EIO' });
    await file.syncData();
    const seen = node.disk.peek('/data/f')[0];
    node.crash();
    return [seen, node.disk.peek('/data/f').includes(1)];
  });
  assert.ok(read.some(([seen]) => seen === 1) && read.some(([seen]) => seen === 2));
  assert.ok(
    read.some(([seen, old]) => seen === 2 && old),
    'seen as new after the sync, and old after the crash',
  );
});

test('a full disk takes what fits and says ENOSPC', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    node.disk.capacityBytes = 3 * 4096;
    await fill(file, 1, 8192);
    await assert.rejects(fill(file, 1, 8192, 8192), { code: 'ENOSPC' });
    await fill(file, 2, 4096);
    assert.equal((await node.env.disk.space('/data')).freeBytes, 4096);
    await node.env.disk.remove('/data/f');
    assert.equal((await node.env.disk.space('/data')).freeBytes, 3 * 4096);
  });
});

test('an injected fault meets the n-th call on its path and no other', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    const other = await createFile(node.env.disk, '/data/g');
    node.disk.inject({ operation: 'write', code: 'EIO', path: '/data/f', skip: 1, times: 1 });
    await fill(other, 1, 10);
    await fill(file, 1, 10);
    await assert.rejects(fill(file, 1, 10), { code: 'EIO' });
    await fill(file, 1, 10);
    assert.equal(node.disk.faultCount, 1);
  });
});

test('a failing write may leave part of its bytes', async () => {
  const sizes = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    node.disk.inject({ operation: 'write', code: 'EIO' });
    await assert.rejects(fill(file, 1, 5000), { code: 'EIO' });
    return file.sizeBytes();
  });
  assert.ok(new Set(sizes).size > 10);
});

test('a read-only disk refuses changes and still reads', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 10);
    node.disk.readOnly = true;
    await assert.rejects(fill(file, 1, 10), { code: 'EROFS' });
    await assert.rejects(node.env.disk.open('/data/g', 'create'), { code: 'EROFS' });
    assert.equal(await file.read(new Uint8Array(10), 0, 10, 0), 10);
  });
});

test('a flipped bit is read flipped, and stays so', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 100);
    node.disk.flipBit('/data/f', 50, 3);
    node.crash();
    assert.equal(node.disk.peek('/data/f')[50], 9);
  });
});

test('bytes that change while they are being written are noticed', async () => {
  const world = new SimWorld({ seed: 1 });
  const { disk } = world.node('one').env;
  await assert.rejects(
    world.run(async () => {
      const file = await disk.open('/f', 'create');
      const bytes = new Uint8Array(10);
      const writing = file.write(bytes, 0, 10, 0);
      bytes[0] = 1;
      await writing;
    }),
    (error: Error) => error.cause instanceof AssertionFailure,
  );
});

test('a file from before the crash is closed', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    node.crash();
    node.restart();
    await assert.rejects(file.sizeBytes(), { code: 'ECLOSED' });
  });
});

test('the directory of a killed process can be locked by the next', async () => {
  await underSeeds(async (node) => {
    await node.env.disk.lockDirectory('/data');
    await assert.rejects(node.env.disk.lockDirectory('/data'), { code: 'EEXIST' });
    node.restart();
    await node.env.disk.lockDirectory('/data');
  });
});

test('too many open files are refused', async () => {
  const world = new SimWorld({ seed: 1 });
  const { disk } = world.node('one', { descriptorCountMax: 2 }).env;
  await world.run(async () => {
    const first = await disk.open('/a', 'create');
    await disk.open('/b', 'create');
    await assert.rejects(disk.open('/c', 'create'), { code: 'EMFILE' });
    await first.close();
    await disk.open('/c', 'create');
  });
});
