// Rounds of SIGKILL at random moments under load, some of them while the broker still recovers from the one before.
// The process dies, the machine does not: nothing that was acknowledged may be missing, with any kind of flush.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Server, startLiftmq } from '../server.ts';
import { inWorkspace } from '../workspace.ts';
import type { LedgerFigures } from './ledger.ts';
import type { Answer, Order } from './load.ts';
import { checkStoredLog } from './stored-log.ts';

const underLoadMs = { least: 100, most: 1500 };
const inRecoveryMs = { least: 0, most: 400 };
/** Of the rounds, those with another kill before the broker is ready again. */
const killInRecoveryEvery = 3;
const drainEvery = 10;

export type KillResult = LedgerFigures & {
  rounds: number;
  kills: number;
  /** From start of the process to ready, after a kill. */
  recoveryMs: { median: number; longest: number };
};

type KillOptions = {
  rounds: number;
  seed: number;
  port: number;
  syncFlush: boolean;
  report: (line: string) => void;
};

export function runKillRounds(options: KillOptions): Promise<KillResult> {
  return inWorkspace('kill', options.report, (dir) => runIn(dir, options));
}

async function runIn(dir: string, options: KillOptions): Promise<KillResult> {
  const random = seeded(options.seed);
  const server = startLiftmq({
    dir,
    port: options.port,
    settings: {
      mappedFileSizeCommitLog: 1024 * 1024,
      mappedFileSizeConsumeQueue: 20 * 500,
      maxHashSlotNum: 500,
      maxIndexNum: 5000,
      maxMessageSize: 64 * 1024,
      flushDiskType: options.syncFlush ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
    },
  });
  await server.start();
  const load = fork(path.join(import.meta.dirname, 'load.ts'), { stdio: 'inherit' });
  const recoveries: number[] = [];
  let kills = 0;
  try {
    await obey(load, { order: 'start', namesrv: server.namesrv, broker: server.broker });
    for (let round = 1; round <= options.rounds; round++) {
      await sleep(between(random, underLoadMs));
      await server.stopBroker('SIGKILL');
      kills++;
      if (random() < 1 / killInRecoveryEvery) {
        await startAndKill(server, between(random, inRecoveryMs));
        kills++;
      }
      const started = performance.now();
      await server.start();
      recoveries.push(performance.now() - started);
      const figures = await obey(load, { order: 'check' });
      if (round % drainEvery === 0 || round === options.rounds) {
        await obey(load, { order: 'drain' });
      }
      options.report(
        `round ${round}: ${JSON.stringify(figures)}, ready after ${Math.round(recoveries[recoveries.length - 1])} ms`,
      );
      await obey(load, { order: 'resume' });
    }
    await obey(load, { order: 'check' });
    await obey(load, { order: 'drain' });
    const figures = await obey(load, { order: 'reread' });
    await obey(load, { order: 'stop' });
    await server.stopBroker('SIGTERM');
    const inLog = checkStoredLog(server.storeDir);
    if (inLog !== figures.stored) {
      throw new Error(`the log holds ${inLog} messages, readers were given ${figures.stored}`);
    }
    const sorted = recoveries.toSorted((a, b) => a - b);
    const recoveryMs = {
      median: Math.round(sorted[Math.floor(sorted.length / 2)]),
      longest: Math.round(sorted[sorted.length - 1]),
    };
    return { ...figures, rounds: options.rounds, kills, recoveryMs };
  } catch (cause) {
    throw new Error(`seed ${options.seed}`, { cause });
  } finally {
    load.kill('SIGKILL');
    await server.stopBroker('SIGKILL');
  }
}

async function startAndKill(server: Server, afterMs: number): Promise<void> {
  const starting = server.start().catch(() => {});
  await sleep(afterMs);
  await server.stopBroker('SIGKILL');
  await starting;
}

async function obey(load: ChildProcess, order: Order): Promise<LedgerFigures> {
  const answered = once(load, 'message');
  load.send(order);
  const [answer]: Answer[] = await answered;
  if ('failure' in answer) {
    throw new Error(`${order.order}: ${answer.failure}`);
  }
  return answer.figures;
}

function between(random: () => number, { least, most }: { least: number; most: number }): number {
  return Math.round(least + random() * (most - least));
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
