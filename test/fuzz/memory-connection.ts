/** A connection without sockets, and just enough of the other ports to run a remoting server on it, synchronously. */
import type { Clock, Connection, ConnectionEvents, Network, Timers } from '../../src/io/mod.ts';

const spoiltByte = 0xdd;

export class MemoryConnection implements Connection {
  readonly local = { host: '127.0.0.1', port: 10911 };
  readonly remote = { host: '127.0.0.1', port: 40_000 };
  /** What the server wrote. */
  readonly written: Buffer[] = [];
  closed = false;
  /** A slow peer takes nothing until `drain`. */
  readonly slow: boolean;
  pendingBytes = 0;
  #events: ConnectionEvents | undefined;
  #paused = false;
  #ending = false;
  #backlog: Buffer[] = [];

  constructor(slow: boolean) {
    this.slow = slow;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
  }

  /** Spoils the bytes afterwards, as a network may. */
  deliver(bytes: Buffer): void {
    if (this.closed || this.#ending) return;
    if (this.#paused) this.#backlog.push(bytes);
    else {
      const copy = Buffer.from(bytes);
      this.#events?.onData(copy);
      copy.fill(spoiltByte);
    }
  }

  /** The peer takes all, and what waited is delivered. */
  drain(): void {
    while (!this.closed && (this.pendingBytes > 0 || (this.#backlog.length > 0 && !this.#paused))) {
      if (this.pendingBytes > 0) {
        this.pendingBytes = 0;
        this.#events?.onDrain();
      }
      const backlog = this.#backlog;
      this.#backlog = [];
      for (const bytes of backlog) this.deliver(bytes);
    }
  }

  /** The peer closes. */
  hangUp(): void {
    if (this.closed) return;
    this.closed = true;
    this.pendingBytes = 0;
    this.#events?.onClose();
  }

  write(bytes: Uint8Array): void {
    this.writeAll([bytes]);
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    for (const chunk of chunks) {
      this.written.push(Buffer.from(chunk));
      if (this.slow) this.pendingBytes += chunk.length;
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  end(): void {
    this.#ending = true;
  }

  destroy(): void {
    this.hangUp();
  }
}

/** Time that passes only when told, and what is due at the end of a turn. */
export class ManualTime implements Clock, Timers {
  #nowMs = 0;
  #soon: (() => void)[] = [];
  readonly #periodic: { periodMs: number; atMs: number; run: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(): { cancel(): void } {
    return { cancel: () => {} };
  }

  every(periodMs: number, run: () => void): { cancel(): void } {
    const timer = { periodMs, atMs: this.#nowMs + periodMs, run };
    this.#periodic.push(timer);
    return { cancel: () => this.#periodic.splice(this.#periodic.indexOf(timer), 1) };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  endTurn(passedMs: number): void {
    while (this.#soon.length > 0) for (const run of this.#soon.splice(0)) run();
    this.#nowMs += passedMs;
    for (const timer of this.#periodic) {
      if (timer.atMs > this.#nowMs) continue;
      timer.atMs = this.#nowMs + timer.periodMs;
      timer.run();
    }
  }
}

/** Where a server listens, for connections handed over by hand. */
export class MemoryNetwork implements Pick<Network, 'listen'> {
  #accept: (connection: Connection) => void = () => {};

  async listen(
    local: { host: string; port: number },
    onConnection: (connection: Connection) => void,
  ): Promise<{ local: typeof local; close(): Promise<void> }> {
    this.#accept = onConnection;
    return { local, close: async () => {} };
  }

  connect(slow: boolean): MemoryConnection {
    const connection = new MemoryConnection(slow);
    this.#accept(connection);
    return connection;
  }
}
