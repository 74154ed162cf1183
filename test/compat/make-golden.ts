// node test/compat/make-golden.ts: makes the files of test/golden anew with the real broker 5.5.0 (see the README there).
// To be run in a network namespace of its own, as test/compat/run.ts does.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { runScenarios } from './scenarios.ts';
import { type ServerOptions, type Stop, startApache } from './server.ts';
import { javaArguments } from './toolchain.ts';

const golden = path.join(import.meta.dirname, '..', 'golden');
const kept = ['commitlog', 'consumequeue', 'index', 'checkpoint', 'config', 'abort'];

/** Small files of every kind, so that each rolls several times. */
const smallFiles = {
  mappedFileSizeCommitLog: 64 * 1024,
  mappedFileSizeConsumeQueue: 20 * 16,
  maxHashSlotNum: 50,
  maxIndexNum: 200,
  maxMessageSize: 32 * 1024,
};

await make('store-stopped', 'SIGTERM', {});
await make('store-killed', 'SIGKILL', {});
await make('store-ipv6', 'SIGTERM', { brokerIP1: '::1', bindAddress: '::' });

async function make(name: string, stop: Stop, settings: NonNullable<ServerOptions['settings']>): Promise<void> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'liftmq-golden-'));
  const server = startApache({ dir, port: 30_911, settings: { ...smallFiles, ...settings } });
  await server.start();
  const group = { name: 'golden', scenarios: ['golden-load'], threads: 1 };
  const outcomes = await runScenarios(server, group, { dir });
  await server.stopBroker(stop);
  await server.close();
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (failures.length > 0) {
    throw new Error(`${name}: ${failures.join('; ')}`);
  }
  const target = path.join(golden, name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const entry of kept) {
    keep(path.join(server.storeDir, entry), path.join(target, entry));
  }
  const manifest = execFileSync(
    'java',
    javaArguments({
      mainClass: 'liftmq.compat.Main',
      arguments: ['manifest', path.join(server.storeDir, 'commitlog')],
      home: dir,
      heapMiB: 256,
    }),
  );
  // The official library writes its own lines to the same output.
  const records = String(manifest)
    .split('\n')
    .filter((line) => line.startsWith('{'));
  writeFileSync(path.join(target, 'manifest.jsonl.gz'), gzipSync(`${records.join('\n')}\n`, { level: 9 }));
  rmSync(dir, { recursive: true, force: true });
}

/** JSON stays readable; everything else is mostly zeros, and is compressed. */
function keep(from: string, to: string): void {
  const stat = statSync(from, { throwIfNoEntry: false });
  if (stat === undefined) {
    return;
  }
  if (stat.isDirectory()) {
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) {
      keep(path.join(from, name), path.join(to, name));
    }
  } else if (from.endsWith('.json')) {
    cpSync(from, to);
  } else {
    writeFileSync(`${to}.gz`, gzipSync(readFileSync(from), { level: 9 }));
  }
}
