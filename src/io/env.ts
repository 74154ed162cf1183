import type { Clock } from './clock.ts';
import type { Disk } from './disk.ts';
import type { Host } from './host.ts';
import type { Log } from './log.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { Timers } from './timers.ts';
import type { Workers } from './workers.ts';

/** Every port. Only the assembling files take it whole; each part asks for the two or three that it uses. */
export interface Env {
  clock: Clock;
  timers: Timers;
  disk: Disk;
  network: Network;
  random: Random;
  workers: Workers;
  host: Host;
  log: Log;
}
