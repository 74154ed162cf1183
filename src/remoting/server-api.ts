import type { Endpoint } from '../io/mod.ts';

export interface RemotingServerStats {
  connections: number;
  requestsTotal: number;
  bytesInTotal: number;
  bytesOutTotal: number;
  refusedBusyTotal: number;
  badFramesTotal: number;
}

export interface RemotingServer {
  /** What it listens on, VIP port included. */
  readonly listening: { main: Endpoint; vip: Endpoint | undefined };
  stats(): RemotingServerStats;
  /** From now on, requests of clients newer than 5.3.1 are answered GO_AWAY; others are still served. */
  goAway(): void;
  /** Stops accepting, waits up to `drainMs` for answers under way, then closes all connections. */
  close(drainMs: number): Promise<void>;
}
