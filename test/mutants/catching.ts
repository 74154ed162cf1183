/** What shall catch a mutant, run in a copy of the sources. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { FaultKind } from '../../src/testing/mod.ts';

export interface Search {
  first: number;
  count: number;
  faultsMs: number;
  faults?: readonly FaultKind[];
}

export interface Finding {
  /** Undefined: everything passed. */
  failure: string | undefined;
  /** Seeds of the simulation that were run. */
  seeds: number;
}

/** One seed takes a second or less; a machine may be busy. */
const seedLimitMs = 60_000;
const testLimitMs = 60_000;
/** Of what is kept of a finding. */
const failureLengthMax = 300;

/** Runs seeds until one fails, or does not end. */
export function searchSeeds(copy: string, search: Search): Promise<Finding> {
  return new Promise((resolve, reject) => {
    let seeds = 0;
    let finding: string | undefined;
    let trouble = '';
    const { child, goesOn } = start(copy, ['test/mutants/seek.ts', JSON.stringify(search)], seedLimitMs, () => {
      finding = `seed ${search.first + seeds++} does not end`;
    });
    createInterface(child.stdout).on('line', (line) => {
      goesOn();
      const { failure } = JSON.parse(line) as { failure?: string };
      seeds += 1;
      finding ??= failure?.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, failureLengthMax);
    });
    child.stderr.on('data', (chunk) => {
      trouble = `${trouble}${chunk}`.slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      // What ends the process that simulates is no finding about the cluster, but it is no pass either.
      if (finding === undefined && code !== 0) finding = `seed ${search.first + seeds++}: ${firstError(trouble)}`;
      resolve({ failure: finding, seeds });
    });
  });
}

/** Runs a test file. */
export function runTest(copy: string, file: string): Promise<Finding> {
  return new Promise((resolve, reject) => {
    let output = '';
    let ended = true;
    const { child } = start(copy, ['--test', '--test-reporter=spec', file], testLimitMs, () => {
      ended = false;
    });
    const keep = (chunk: unknown) => {
      output += String(chunk);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      const failed = /^\s*✖ (.*?) \([\d.]+ms\)$/m.exec(output)?.[1];
      const failure = ended ? (failed ?? firstError(output)) : 'it does not end';
      resolve({ failure: code === 0 ? undefined : failure, seeds: 0 });
    });
  });
}

/** Process groups that run. */
const running = new Set<number>();

/** Ends what is under way, also the processes that test runners start. */
export function stopAll(): void {
  for (const pid of running) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

function start(copy: string, args: readonly string[], limitMs: number, onLimit: () => void) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const [first = '', ...rest] = args;
  const script = first.startsWith('--') ? first : join(copy, first);
  const child = spawn(process.execPath, [script, ...rest], {
    cwd: copy,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) running.add(pid);
  const tooLong = () => {
    onLimit();
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  };
  let limit = setTimeout(tooLong, limitMs);
  child.on('close', () => {
    clearTimeout(limit);
    if (pid !== undefined) running.delete(pid);
  });
  const goesOn = () => {
    clearTimeout(limit);
    limit = setTimeout(tooLong, limitMs);
  };
  return { child, goesOn };
}

function firstError(output: string): string {
  return /^.*Error.*$/m.exec(output)?.[0]?.trim().slice(0, failureLengthMax) ?? 'it failed without a word';
}
