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
    let torn = 0;
    for (let at = 0; at < 8192; at += 512) {
      const sector = bytes.subarray(at, at + 512);
      if (sector[0] === 3) sectors += 1;
      if (sector.some((byte) => byte !== sector[0])) torn = at;
    }
    if (torn > 0) {
      const isHalf = /^(03)+(00)+$/.test(Buffer.from(bytes.subarray(torn, torn + 512)).toString('hex'));
      const isLast = bytes.subarray(torn + 512, Math.ceil((torn + 512) / 4096) * 4096).every((byte) => byte === 0);
      assert.ok(isHalf && isLast, 'only the last sector may be torn, at its end');
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

test('a full disk refuses what needs room, and goes on when room comes back', async () => {
  await underSeeds(async (node) => {
    const { disk } = node.env;
    const file = await createFile(disk, '/data/f');
    await fill(file, 3, 4096);
    node.disk.full = true;
    await assert.rejects(disk.open('/data/new', 'create'), /ENOSPC/);
    await assert.rejects(disk.makeDirectory('/data/directory'), /ENOSPC/);
    await assert.rejects(fill(file, 3, 9000), /ENOSPC/);
    await fill(file, 4, 4096);
    node.disk.full = false;
    await fill(file, 3, 9000);
  });
});

test('a stalled disk keeps its callers waiting until it goes on', async () => {
  await underSeeds(async (node, world) => {
    const file = await createFile(node.env.disk, '/data/f');
    const goOn = node.disk.stall('/data', 20_000);
    const beganMs = world.nowMs;
    const write = fill(file, 3, 4096);
    await world.sleep(5000);
    goOn();
    await write;
    assert.ok(world.nowMs - beganMs >= 5000 && world.nowMs - beganMs < 6000);
    node.disk.stall('/data', 20_000);
    await file.syncData();
    assert.ok(world.nowMs - beganMs >= 25_000);
  });
});

test('rot is read from the platter, and hidden while the page is in the cache', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 3, 8192);
    await file.syncData();
    assert.ok(node.disk.rot('/data'));
    const wrong = [...node.disk.peek('/data/f')].filter((byte) => byte !== 3);
    assert.equal(wrong.length, 1);
    assert.ok([2, 1, 7, 11, 19, 35, 67, 131].includes(wrong[0] ?? 0));
    assert.equal(node.disk.rot('/elsewhere'), false);
  });
});

test('a misdirected write leaves what was, and spoils what it hits', async () => {
  const hits = await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 16_384);
    await file.syncData();
    const rewritten = new Uint8Array(4096).fill(2);
    node.disk.inject({ lie: 'misdirected write', path: '/data/f' });
    await file.write(rewritten, 0, 4096, 4096);
    await file.syncData();
    node.crash();
    const bytes = node.disk.peek('/data/f');
    return [0, 4096, 8192, 12_288].filter((at) => bytes[at] === 2)[0] ?? -1;
  });
  assert.ok(new Set(hits).size > 1 && !hits.includes(-1), `${hits}`);
});

test('a stale read gets what was durable before', async () => {
  await underSeeds(async (node) => {
    const file = await createFile(node.env.disk, '/data/f');
    await fill(file, 1, 4096);
    await file.syncData();
    await fill(file, 2, 4096);
    node.disk.inject({ lie: 'stale read', path: '/data/f' });
    const bytes = new Uint8Array(4096);
    await file.read(bytes, 0, 4096, 0);
    assert.equal(bytes[100], 1);
    await file.read(bytes, 0, 4096, 0);
    assert.equal(bytes[100], 2);
  });
});
