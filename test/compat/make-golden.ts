// node test/compat/make-golden.ts [NAME…]: makes the files of test/golden anew with the real broker 5.5.0 (see the README there).
// To be run in a network namespace of its own, as test/compat/run.ts does.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { runScenarios } from './scenarios.ts';
import { type Settings, type Stop, startApache } from './server.ts';
import { javaArguments } from './toolchain.ts';

const golden = path.join(import.meta.dirname, '..', 'golden');
const kept = ['commitlog', 'consumequeue', 'index', 'checkpoint', 'config', 'abort', 'timerwheel', 'timerlog'];
/** Of zeros that gzip would still make 40 kB of. */
const brotliFrom = 10_000_000;

/** Small files of every kind, so that each rolls several times. */
const smallFiles = {
  mappedFileSizeCommitLog: 64 * 1024,
  mappedFileSizeConsumeQueue: 20 * 16,
  maxHashSlotNum: 50,
  maxIndexNum: 200,
  maxMessageSize: 32 * 1024,
};

/** What a store of the golden files is made with. */
type Golden = { scenario: string; stop: Stop; settings: Settings };

const goldens: Readonly<Record<string, Golden>> = {
  'store-stopped': { scenario: 'golden-load', stop: 'SIGTERM', settings: {} },
  'store-killed': { scenario: 'golden-load', stop: 'SIGKILL', settings: {} },
  'store-ipv6': { scenario: 'golden-load', stop: 'SIGTERM', settings: { brokerIP1: '::1', bindAddress: '::' } },
  'store-waiting': {
    scenario: 'golden-waiting',
    stop: 'SIGTERM',
    settings: {
      brokerIP1: '::1',
      bindAddress: '::',
      messageDelayLevel: '1s 2s 1h',
      // A timer's entry has 52 bytes.
      mappedFileSizeTimerLog: 52 * 4,
    },
  },
};

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(goldens);
for (const name of chosen) {
  await make(name, goldens[name]);
}

async function make(name: string, { scenario, stop, settings }: Golden): Promise<void> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'liftmq-golden-'));
  const server = startApache({ dir, port: 30_911, settings: { ...smallFiles, ...settings } });
  await server.start();
  const group = { name: 'golden', scenarios: [scenario], threads: 1 };
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
  } else if (stat.size >= brotliFrom) {
    writeFileSync(`${to}.br`, brotliCompressSync(readFileSync(from)));
  } else {
    writeFileSync(`${to}.gz`, gzipSync(readFileSync(from), { level: 9 }));
  }
}
