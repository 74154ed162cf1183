import assert from 'node:assert/strict';
import type { DiskErrorCode } from '../../src/io/mod.ts';
import { contract } from './grounds.ts';

const failsWith = (code: DiskErrorCode) => (error: unknown) => {
  assert.equal((error as { name: string }).name, 'DiskError');
  assert.equal((error as { code: string }).code, code);
  return true;
};

contract('the disk', (holds) => {
  holds('what is written is read back, from any place', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    const bytes = Uint8Array.from({ length: 10_000 }, (_, at) => at);
    await file.write(bytes, 100, 9000, 5000);
    const target = new Uint8Array(20_000);
    assert.equal(await file.read(target, 10, 3000, 6000), 3000);
    assert.deepEqual(target.subarray(10, 3010), bytes.subarray(1100, 4100));
    assert.equal(target[9], 0);
    assert.equal(target[3010], 0);
    await file.close();
  });

  holds('a gap before what was written reads as zeros', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(Uint8Array.of(7), 0, 1, 9000);
    const target = new Uint8Array(9001).fill(1);
    assert.equal(await file.read(target, 0, 9001, 0), 9001);
    assert.deepEqual(target, new Uint8Array(9001).fill(7, 9000));
    await file.close();
  });

  holds('a read at the end of the file gets what is there, behind it nothing', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(Uint8Array.of(1, 2, 3), 0, 3, 0);
    const target = new Uint8Array(8);
    assert.equal(await file.read(target, 0, 8, 1), 2);
    assert.equal(await file.read(target, 0, 8, 3), 0);
    assert.equal(await file.read(target, 0, 8, 100), 0);
    await file.close();
  });

  holds('truncate cuts, and grows with zeros', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(new Uint8Array(10_000).fill(9), 0, 10_000, 0);
    await file.truncate(5000);
    assert.equal(await file.sizeBytes(), 5000);
    await file.truncate(12_000);
    assert.equal((await disk.stat(`${directory}/f`)).sizeBytes, 12_000);
    const target = new Uint8Array(12_000);
    assert.equal(await file.read(target, 0, 12_000, 0), 12_000);
    assert.deepEqual(target, new Uint8Array(12_000).fill(9, 0, 5000));
    await file.close();
  });

  holds('a cut stays cut when the file is written and synced again', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(new Uint8Array(9000).fill(9), 0, 9000, 0);
    await file.syncData();
    await file.truncate(100);
    await file.write(Uint8Array.of(5), 0, 1, 8999);
    await file.syncData();
    const target = new Uint8Array(9000);
    assert.equal(await file.read(target, 0, 9000, 0), 9000);
    const expected = new Uint8Array(9000).fill(9, 0, 100);
    expected[8999] = 5;
    assert.deepEqual(target, expected);
    await file.close();
  });

  holds('a sparse file of 1 GiB costs no space', async ({ env: { disk }, directory }) => {
    const before = await disk.space(directory);
    const file = await disk.open(`${directory}/f`, 'create');
    await file.truncate(2 ** 30);
    await file.write(Uint8Array.of(1), 0, 1, 2 ** 30 - 1);
    await file.syncData();
    const after = await disk.space(directory);
    assert.equal(after.totalBytes, before.totalBytes);
    assert.ok(before.freeBytes - after.freeBytes < 2 ** 29);
    await file.close();
  });

  holds('each open mode does what it says', async ({ env: { disk }, directory }) => {
    const path = `${directory}/f`;
    await assert.rejects(disk.open(path, 'read'), failsWith('ENOENT'));
    await assert.rejects(disk.open(path, 'write'), failsWith('ENOENT'));
    await (await disk.open(path, 'exclusive')).close();
    await assert.rejects(disk.open(path, 'exclusive'), failsWith('EEXIST'));
    const file = await disk.open(path, 'create');
    await file.write(Uint8Array.of(1), 0, 1, 0);
    await file.close();
    const again = await disk.open(path, 'write');
    assert.equal(await again.sizeBytes(), 1);
    await again.close();
    await assert.rejects(disk.open(directory, 'read'), failsWith('EISDIR'));
    await assert.rejects(disk.open(`${directory}/none/f`, 'create'), failsWith('ENOENT'));
    await assert.rejects(disk.open(`${path}/f`, 'create'), failsWith('ENOTDIR'));
  });

  holds('a closed file refuses, and may be closed again', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    const writing = file.write(new Uint8Array(5000), 0, 5000, 0);
    const closing = file.close();
    await assert.rejects(file.read(new Uint8Array(1), 0, 1, 0), failsWith('ECLOSED'));
    await assert.rejects(file.syncData(), failsWith('ECLOSED'));
    await Promise.all([writing, closing]);
    await file.close();
    assert.equal((await disk.stat(`${directory}/f`)).sizeBytes, 5000);
  });

  holds('makeDirectory makes parents too and does not mind what exists', async ({ env: { disk }, directory }) => {
    await disk.makeDirectory(`${directory}/a/b/c`);
    await disk.makeDirectory(`${directory}/a/b/c`);
    await disk.syncDirectory(`${directory}/a/b`);
    assert.equal((await disk.stat(`${directory}/a/b/c`)).kind, 'directory');
    await (await disk.open(`${directory}/a/f`, 'create')).close();
    await assert.rejects(disk.makeDirectory(`${directory}/a/f`), failsWith('EEXIST'));
    await assert.rejects(disk.makeDirectory(`${directory}/a/f/g/h`), failsWith('ENOTDIR'));
  });

  holds('a list is sorted by name and tells files from directories', async ({ env: { disk }, directory }) => {
    for (const name of ['b', 'a', 'C']) await (await disk.open(`${directory}/${name}`, 'create')).close();
    await disk.makeDirectory(`${directory}/aa`);
    assert.deepEqual(await disk.list(directory), [
      { name: 'C', kind: 'file' },
      { name: 'a', kind: 'file' },
      { name: 'aa', kind: 'directory' },
      { name: 'b', kind: 'file' },
    ]);
    await assert.rejects(disk.list(`${directory}/none`), failsWith('ENOENT'));
    await assert.rejects(disk.list(`${directory}/a`), failsWith('ENOTDIR'));
  });

  holds('rename replaces the file that has the name', async ({ env: { disk }, directory }) => {
    for (const [name, size] of [
      ['from', 1],
      ['to', 2],
    ] as const) {
      const file = await disk.open(`${directory}/${name}`, 'create');
      await file.write(new Uint8Array(size), 0, size, 0);
      await file.close();
    }
    await disk.rename(`${directory}/from`, `${directory}/to`);
    await disk.syncDirectory(directory);
    assert.equal((await disk.stat(`${directory}/to`)).sizeBytes, 1);
    await assert.rejects(disk.stat(`${directory}/from`), failsWith('ENOENT'));
    await assert.rejects(disk.rename(`${directory}/from`, `${directory}/x`), failsWith('ENOENT'));
  });

  holds('a removed file stays readable for who has it open', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(Uint8Array.of(4), 0, 1, 0);
    await disk.remove(`${directory}/f`);
    await assert.rejects(disk.stat(`${directory}/f`), failsWith('ENOENT'));
    await assert.rejects(disk.remove(`${directory}/f`), failsWith('ENOENT'));
    const target = new Uint8Array(1);
    assert.equal(await file.read(target, 0, 1, 0), 1);
    assert.equal(target[0], 4);
    await file.close();
  });

  holds('removeTree removes all below, and does not mind what is absent', async ({ env: { disk }, directory }) => {
    await disk.makeDirectory(`${directory}/a/b`);
    await (await disk.open(`${directory}/a/b/f`, 'create')).close();
    await disk.removeTree(`${directory}/a`);
    await disk.removeTree(`${directory}/a`);
    assert.deepEqual(await disk.list(directory), []);
  });

  holds('stat tells when the contents last changed', async ({ env: { disk, clock }, directory, sleep }) => {
    await sleep(20);
    const fromMs = clock.wallMs() - 10;
    const file = await disk.open(`${directory}/f`, 'create');
    await file.write(Uint8Array.of(1), 0, 1, 0);
    await file.close();
    const { modifiedMs } = await disk.stat(`${directory}/f`);
    assert.ok(modifiedMs >= fromMs && modifiedMs <= clock.wallMs() + 10, `${modifiedMs}`);
  });

  holds('a directory has one holder, who is named to others', async ({ env: { disk, host }, directory }) => {
    const lock = await disk.lockDirectory(directory);
    await assert.rejects(disk.lockDirectory(directory), (error: Error) => {
      failsWith('EEXIST')(error);
      assert.match(String(error.cause), new RegExp(`process ${host.pid}\\b`));
      return true;
    });
    await lock.release();
    assert.deepEqual(await disk.list(directory), []);
    await (await disk.lockDirectory(directory)).release();
  });

  holds('what a killed process left of its lock is taken over', async ({ env: { disk }, directory }) => {
    const file = await disk.open(`${directory}/liftmq.lock`, 'create');
    const stale = new TextEncoder().encode(JSON.stringify({ pid: 1, startTime: 'never' }));
    await file.write(stale, 0, stale.length, 0);
    await file.close();
    await (await disk.lockDirectory(directory)).release();
    assert.deepEqual(await disk.list(directory), []);
  });
});
