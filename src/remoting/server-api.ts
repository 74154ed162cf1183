import type { Endpoint } from '../io/mod.ts';

export interface RemotingServerStats {
  connections: number;
  requestsTotal: number;
  bytesInTotal: number;
  bytesOutTotal: number;
  refusedBusyTotal: number;
  badFramesTotal: number;
  /** Connections closed at once because a limit was reached. */
  refusedConnectionsTotal: number;
  /** Requests whose answer is still due. */
  inFlight: number;
  /** Half frames, and answers that peers have not taken. */
  heldBytes: number;
  /** Requests by RocketMQ's name of their code; codes without a handler are not among them. */
  requestsByCommand: ReadonlyMap<string, number>;
  responsesByCode: ReadonlyMap<number, number>;
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
