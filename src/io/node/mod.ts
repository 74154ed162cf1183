/** The ports on Node: the only home of files, sockets, threads, clocks and chance. */
import type { Env } from '../env.ts';
import type { Log } from '../log.ts';
import { createNodeClock } from './clock.ts';
import { createNodeDisk } from './disk.ts';
import { createNodeHost } from './host.ts';
import { createLanes } from './lane.ts';
import { createNodeLog, type LogOptions } from './log.ts';
import { createNodeNetwork } from './network.ts';
import { createNodeRandom } from './random.ts';
import { createNodeTimers } from './timers.ts';
import { createNodeWorkers } from './workers.ts';

export type { LogLevel } from './log.ts';
export { runSteps, watchRejections } from './turn.ts';

/** Every port of one process. `log` is a ready log, or the options of a new one. */
export function createNodeEnv(options: { log?: Log | LogOptions } = {}): Env {
  const { log = {} } = options;
  const lanes = createLanes();
  return {
    clock: createNodeClock(),
    timers: createNodeTimers(),
    disk: createNodeDisk({ lanes }),
    network: createNodeNetwork({ lanes }),
    random: createNodeRandom(),
    workers: createNodeWorkers(),
    host: createNodeHost(),
    log: 'info' in log ? log : createNodeLog(log),
  };
}
