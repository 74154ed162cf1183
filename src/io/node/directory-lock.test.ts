import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNodeDisk } from './disk.ts';

async function inDirectory(proof: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'liftmq-lock-'));
  try {
    await proof(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const ended = (pid: number) => {
  const done = spawnSync(process.execPath, ['-e', `process.exit(${pid})`]);
  assert.ok(done.pid > 0);
  return done.pid;
};

const canFlock = process.platform === 'linux' && spawnSync('flock', ['--version']).status === 0;

test('a live Java broker is found by the lock it holds', { skip: !canFlock }, () =>
  inDirectory(async (directory) => {
    // A Java broker locks `<store>/lock`; any lock of another process looks the same in /proc/locks.
    const holder = spawn('flock', ['--no-fork', join(directory, 'lock'), 'sh', '-c', 'echo held; exec sleep 60']);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const disk = createNodeDisk();
    await assert.rejects(disk.lockDirectory(directory), (error: Error) => {
      assert.match(String(error.cause), new RegExp(`lock is locked by process ${holder.pid} `));
      return true;
    });
    const gone = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill();
    await gone;
    await (await disk.lockDirectory(directory)).release();
  }),
);

test('a lock left by a Java broker that is gone does not matter', () =>
  inDirectory(async (directory) => {
    await writeFile(join(directory, 'lock'), 'lock');
    await (await createNodeDisk().lockDirectory(directory)).release();
  }));

test('the file of a dead process is taken over', () =>
  inDirectory(async (directory) => {
    const file = join(directory, 'liftmq.lock');
    await writeFile(file, JSON.stringify({ pid: ended(0), startTime: '12345' }));
    await (await createNodeDisk().lockDirectory(directory)).release();
    await writeFile(file, '');
    await (await createNodeDisk().lockDirectory(directory)).release();
  }));

test('the file of a process whose pid was given to another is taken over', { skip: process.platform !== 'linux' }, () =>
  inDirectory(async (directory) => {
    await writeFile(join(directory, 'liftmq.lock'), JSON.stringify({ pid: process.pid, startTime: '1' }));
    await (await createNodeDisk().lockDirectory(directory)).release();
  }),
);
