/** Runs one cell against one server: start, warm up, measure, stop, wipe. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cell, LoadCell } from './cells.ts';
import { type Load, type LoadResult, runLoad } from './load.ts';
import { ports, type RunningServer, type ServerOptions, type StartServer } from './servers.ts';

/** What the server still does for the load after its last answer counts as its CPU, too. */
const SETTLE_MS = 1000;
const IDLE_MS = 10_000;

/**
 * For the JVM's compiler above all, which takes more than half a million messages to do its best; both sides get the
 * same. Small bodies, since the disk is not what has to warm up.
 */
const warmUp: Load = { mode: 'send', connections: 8, inFlight: 256, bodySize: 128, countMax: 800_000, secondsMax: 25 };
const ownWarmUp = { countMax: 150_000, secondsMax: 4 } as const;
/** What is pulled; the count is the cell's. */
const fill = { mode: 'send', connections: 8, inFlight: 256, secondsMax: 40 } as const;
const pullWarmUp = { countMax: 3_000_000, secondsMax: 4 } as const;

export interface LoadFigures {
  readonly kind: 'load';
  /** Messages a second that were stored (or, by a pure pull, delivered). */
  readonly rate: number;
  /** CPU seconds of the server per million of them. */
  readonly cpuPerMillion: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly p999Micros: number;
  /** Of the server after the load, without mapped files. */
  readonly anonymousBytes: number;
  readonly generatorShare: number;
  /** Answers that were no plain success, by code; pulls that found the queue's end are none of them. */
  readonly oddAnswers: Readonly<Record<string, number>>;
}

export interface IdleFigures {
  readonly kind: 'idle';
  readonly startMs: number;
  readonly residentBytes: number;
  /** Of one core. */
  readonly cpuShare: number;
}

export type Figures = LoadFigures | IdleFigures;

export interface Bench {
  readonly generator: string;
  /** Stores go into fresh directories below it and are removed after each cell. */
  readonly scratch: string;
}

export async function measure(
  bench: Bench,
  start: StartServer,
  cell: Cell,
  nodeOptions: ServerOptions['nodeOptions'] = [],
): Promise<Figures> {
  const directory = mkdtempSync(join(bench.scratch, 'cell-'));
  try {
    const server = await start({ directory, flush: cell.kind === 'load' ? cell.flush : 'ASYNC_FLUSH', nodeOptions });
    try {
      return cell.kind === 'load' ? await measureLoad(bench, server, cell) : await measureIdle(server);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureLoad(bench: Bench, server: RunningServer, cell: LoadCell): Promise<LoadFigures> {
  for (const topic of ['bench_warm', 'bench_same', 'bench']) await server.createTopic(topic);
  const run = (topic: string, load: Load) => runLoad(bench.generator, ports.broker, topic, load);
  const pulls = cell.load.mode === 'pull';
  await run('bench_warm', warmUp);
  if (cell.fillCount !== undefined) await run('bench', { ...fill, countMax: cell.fillCount });
  await sleep(SETTLE_MS);
  await run(pulls ? 'bench' : 'bench_same', { ...cell.load, ...(pulls ? pullWarmUp : ownWarmUp) });
  await sleep(SETTLE_MS);

  const cpuBefore = server.cpuSeconds();
  const result = await run('bench', cell.load);
  await sleep(SETTLE_MS);
  const cpuSeconds = server.cpuSeconds() - cpuBefore;

  const count = pulls ? result.pulled : result.stored;
  if (count === 0) throw new Error(`${cell.id}: no message went through: ${JSON.stringify(result)}`);
  if (cell.load.mode === 'mixed' && result.pulled < result.stored) {
    throw new Error(`${cell.id}: ${result.stored} messages stored, only ${result.pulled} consumed`);
  }
  const latency = pulls ? result.pullMicros : result.sendMicros;
  return {
    kind: 'load',
    rate: count / result.seconds,
    cpuPerMillion: (cpuSeconds / count) * 1e6,
    p50Micros: latency.p50,
    p99Micros: latency.p99,
    p999Micros: latency.p999,
    anonymousBytes: server.memory().anonymousBytes,
    generatorShare: result.ownCpuShare,
    oddAnswers: oddAnswersOf(result),
  };
}

function oddAnswersOf(result: LoadResult): Record<string, number> {
  const odd: Record<string, number> = {};
  for (const [code, count] of Object.entries(result.sendCodes)) if (code !== '0') odd[`send ${code}`] = count;
  for (const [code, count] of Object.entries(result.pullCodes)) {
    if (code !== '0' && code !== '19') odd[`pull ${code}`] = count;
  }
  return odd;
}

async function measureIdle(server: RunningServer): Promise<IdleFigures> {
  await sleep(IDLE_MS);
  const cpuBefore = server.cpuSeconds();
  await sleep(IDLE_MS);
  return {
    kind: 'idle',
    startMs: server.startMs,
    residentBytes: server.memory().residentBytes,
    cpuShare: ((server.cpuSeconds() - cpuBefore) * 1000) / IDLE_MS,
  };
}
