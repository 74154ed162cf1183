/** Compiles the load generator and runs it: one process, one line of JSON back. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { topicQueueCount } from './servers.ts';

/** Above this share of a core the generator may be what is measured. */
export const OWN_CPU_SHARE_MAX = 0.7;

export interface Load {
  readonly mode: 'send' | 'pull' | 'mixed';
  readonly connections: number;
  /** Sends outstanding at any time, over all connections. */
  readonly inFlight?: number;
  /** Pulls outstanding at any time; each reads one queue for one group. */
  readonly pullers?: number;
  readonly bodySize?: number;
  /** Whichever bound is met first ends the load. */
  readonly countMax: number;
  readonly secondsMax: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What bench/load/load.c prints; latencies in microseconds, codes by their number. */
export interface LoadResult {
  readonly seconds: number;
  readonly sent: number;
  readonly stored: number;
  readonly pulled: number;
  readonly sendCodes: Readonly<Record<string, number>>;
  readonly pullCodes: Readonly<Record<string, number>>;
  readonly sendMicros: Latency;
  readonly pullMicros: Latency;
  readonly deliveryMicros: Latency;
  readonly ownCpuShare: number;
}

export interface Programs {
  readonly load: string;
  readonly answer: string;
}

/** Throws with the way out when there is no C compiler. */
export function compilePrograms(sources: string, target: string): Programs {
  mkdirSync(target, { recursive: true });
  const programs = { load: join(target, 'load'), answer: join(target, 'answer') };
  const shared = [join(sources, 'frames.c'), join(sources, 'histogram.c')];
  for (const [name, path] of Object.entries(programs)) {
    const options = ['-std=gnu2x', '-O2', '-Wall', '-Wextra', '-o', path, join(sources, `${name}.c`), ...shared];
    const result = spawnSync('gcc', options, { encoding: 'utf8' });
    if (result.error) {
      throw new Error('The load generator is written in C and gcc is not here: install gcc to run the benchmark.');
    }
    if (result.status !== 0) throw new Error(`gcc could not compile ${name}.c:\n${result.stderr}`);
  }
  return programs;
}

export async function runLoad(program: string, port: number, topic: string, load: Load): Promise<LoadResult> {
  const options: Record<string, string | number> = {
    mode: load.mode,
    port,
    topic,
    queues: topicQueueCount,
    connections: load.connections,
    'in-flight': load.inFlight ?? 0,
    pullers: load.pullers ?? 0,
    body: load.bodySize ?? 1024,
    count: load.countMax,
    seconds: load.secondsMax,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await promisify(execFile)(program, args, { timeout: (load.secondsMax + 60) * 1000 });
  return JSON.parse(stdout);
}
