import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNodeDisk } from './disk.ts';
import { createLanes } from './lane.ts';
import { createNodeNetwork } from './network.ts';

test('writes and syncs go on while cold reads and name look-ups hold up each other', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'liftmq-disk-'));
  const lanes = createLanes();
  const disk = createNodeDisk({ lanes });
  const network = createNodeNetwork({ lanes });
  try {
    const file = await disk.open(join(directory, 'f'), 'create');
    let release = () => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const blockers = [lanes.slow.run(() => blocked), lanes.slow.run(() => blocked)];
    let readDone = false;
    const read = file.read(new Uint8Array(5), 0, 5, 0).then((count) => {
      readDone = true;
      return count;
    });
    const resolved = network.resolve('localhost');
    await file.write(Buffer.from('hello'), 0, 5, 0);
    await file.syncData();
    assert.equal((await disk.stat(join(directory, 'f'))).sizeBytes, 5);
    assert.equal(readDone, false);
    release();
    assert.equal(await read, 5);
    assert.ok((await resolved).length > 0);
    await Promise.all(blockers);
    await file.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
