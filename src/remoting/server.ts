/**
 * The remoting server: accepts connections at the main port and, for brokers, at the VIP port two below it, finds out
 * what each begins with, and lets a Channel speak. One sweep a second judges the time that peers take.
 */
import type { Clock, Connection, Endpoint, Host, Listener, Log, Network, Timers } from '../io/mod.ts';
import { Channel } from './channel.ts';
import type { Role } from './commands.ts';
import { Dispatch } from './dispatch.ts';
import { firstBytesMax, readFirstBytes } from './first-bytes.ts';
import type { Handlers } from './handler.ts';
import { Hub } from './hub.ts';
import { defaultRemotingLimits, type RemotingLimits } from './limits.ts';
import type { RemotingServer, RemotingServerStats } from './server-api.ts';

export interface RemotingServerOptions<R extends Role> {
  readonly network: Pick<Network, 'listen'>;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
  /** Tells how many connections the system's limit of open files allows. */
  readonly host?: Pick<Host, 'fileDescriptors'>;
  readonly listen: Endpoint;
  /** Where long polls are not served; a broker's listen port − 2. */
  readonly vip?: Endpoint | undefined;
  readonly role: R;
  readonly handlers: Handlers<R>;
  readonly limits?: Partial<RemotingLimits>;
}

const sweepPeriodMs = 1000;
const descriptorsCountPeriodMs = 10_000;
/** How often a closing server looks whether the answers under way have left. */
const drainPollMs = 10;
/** How long a closed server waits for peers to take their last answers. */
const closeLingerMs = 1000;

/** Rejects with NetworkError when a port cannot be listened at; nothing is left open then. */
export async function startRemotingServer<R extends Role>(options: RemotingServerOptions<R>): Promise<RemotingServer> {
  const server = new Server(options, options.handlers as Handlers<Role>);
  await server.listen(options.network, options.listen, options.vip);
  return server;
}

type Ports = Pick<RemotingServerOptions<Role>, 'timers' | 'clock' | 'log' | 'host' | 'limits'>;

class Server implements RemotingServer {
  readonly #hub: Hub;
  readonly #host: Pick<Host, 'fileDescriptors'> | undefined;
  readonly #entrances = new Set<Entrance>();
  readonly #perAddress = new Map<string, number>();
  readonly #listeners: Listener[] = [];
  readonly #sweeping: { cancel(): void };
  #main: Endpoint = { host: '', port: 0 };
  #vip: Endpoint | undefined;
  #lastId = 0;
  #refusedConnections = 0;
  /** Connections that the system's limit still allows: counted at times, with our own accepts and closes since. */
  #descriptorsLeft = Number.POSITIVE_INFINITY;
  #descriptorsCountedMs = 0;
  #acceptedSinceCount = 0;

  constructor(ports: Ports, handlers: Handlers<Role>) {
    const limits = { ...defaultRemotingLimits, ...ports.limits };
    this.#hub = new Hub(ports, new Dispatch(handlers), 'JAVA', limits);
    this.#host = ports.host;
    this.#countDescriptors();
    this.#sweeping = ports.timers.every(sweepPeriodMs, () => this.#sweep());
  }

  get listening(): { main: Endpoint; vip: Endpoint | undefined } {
    return { main: this.#main, vip: this.#vip };
  }

  async listen(network: Pick<Network, 'listen'>, main: Endpoint, vip: Endpoint | undefined): Promise<void> {
    try {
      const mainListener = await network.listen(main, (connection) => this.#accept(connection, 'main'));
      this.#listeners.push(mainListener);
      this.#main = mainListener.local;
      if (vip !== undefined) {
        const vipListener = await network.listen(vip, (connection) => this.#accept(connection, 'vip'));
        this.#listeners.push(vipListener);
        this.#vip = vipListener.local;
      }
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  stats(): RemotingServerStats {
    const { counters, dispatch } = this.#hub;
    const used = dispatch.entries.filter(({ requests }) => requests > 0);
    return {
      connections: this.#entrances.size,
      requestsTotal: counters.requests,
      bytesInTotal: counters.bytesIn,
      bytesOutTotal: counters.bytesOut,
      refusedBusyTotal: counters.refusedBusy,
      badFramesTotal: counters.badFrames,
      refusedConnectionsTotal: this.#refusedConnections,
      inFlight: counters.inFlight,
      heldBytes: counters.heldBytes,
      requestsByCommand: new Map(used.map(({ command, requests }) => [command.row.name, requests])),
      responsesByCode: counters.responsesByCode(),
    };
  }

  goAway(): void {
    this.#hub.goingAway = true;
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    const { clock, timers, counters, deadlines } = this.#hub;
    const endMs = clock.monotonicMs() + drainMs;
    const pause = () => new Promise<void>((resolve) => timers.after(drainPollMs, resolve));
    while (counters.inFlight > 0 && clock.monotonicMs() < endMs) await pause();
    for (const entrance of [...this.#entrances]) entrance.end();
    const lingerEndMs = clock.monotonicMs() + closeLingerMs;
    while (this.#entrances.size > 0 && clock.monotonicMs() < lingerEndMs) await pause();
    for (const entrance of [...this.#entrances]) entrance.destroy();
    this.#sweeping.cancel();
    deadlines.stop();
  }

  #accept(connection: Connection, name: 'main' | 'vip'): void {
    const { host } = connection.remote;
    const refusal = this.#noRoom(host);
    if (refusal !== undefined) {
      this.#refusedConnections++;
      this.#hub.complain('remoting.connection-refused', { peer: host }, `refused a connection of ${host}: ${refusal}`);
      connection.destroy();
      return;
    }
    this.#descriptorsLeft--;
    this.#acceptedSinceCount++;
    const entrance = new Entrance(this.#hub, connection, ++this.#lastId, name, (address) => {
      this.#entrances.delete(entrance);
      this.#countAddress(address, -1);
      this.#hub.channelCount--;
      this.#descriptorsLeft++;
    });
    this.#entrances.add(entrance);
    this.#countAddress(host, 1);
    this.#hub.channelCount++;
    connection.start(entrance);
  }

  #noRoom(host: string): string | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.#hub.limits;
    if (this.#entrances.size >= connectionsMax) return `${connectionsMax} connections are the limit`;
    if ((this.#perAddress.get(host) ?? 0) >= connectionsPerAddressMax) {
      return `${connectionsPerAddressMax} connections from one address are the limit`;
    }
    if (this.#descriptorsLeft <= 0) {
      return `the limit of open files is near, raise it (ulimit -n); ${this.#hub.limits.fileDescriptorsReserved} are kept for the store`;
    }
    return undefined;
  }

  #countAddress(host: string, change: number): void {
    const count = (this.#perAddress.get(host) ?? 0) + change;
    if (count > 0) this.#perAddress.set(host, count);
    else this.#perAddress.delete(host);
  }

  /** Others (the store above all) open files too, so that the count must be renewed; it costs a directory listing. */
  #countDescriptors(): void {
    const descriptors = this.#host?.fileDescriptors();
    this.#descriptorsCountedMs = this.#hub.sweptMs;
    this.#acceptedSinceCount = 0;
    if (descriptors === undefined) return;
    this.#descriptorsLeft = descriptors.limit - descriptors.open - this.#hub.limits.fileDescriptorsReserved;
  }

  #sweep(): void {
    const nowMs = this.#hub.sweep();
    for (const entrance of this.#entrances) entrance.sweep(nowMs);
    const countIsOld = nowMs - this.#descriptorsCountedMs >= descriptorsCountPeriodMs && this.#acceptedSinceCount > 0;
    if (countIsOld || this.#descriptorsLeft < this.#hub.limits.fileDescriptorsReserved) this.#countDescriptors();
  }
}

/** A connection from its acceptance on: first the finding out, then a Channel. */
class Entrance {
  readonly #hub: Hub;
  readonly #connection: Connection;
  readonly #id: number;
  readonly #name: 'main' | 'vip';
  readonly #gone: (address: string) => void;
  readonly #sinceMs: number;
  #first = Buffer.alloc(0);
  #source: Endpoint;
  #channel: Channel | undefined;
  #refused = false;
  #proxied = false;

  constructor(hub: Hub, connection: Connection, id: number, name: 'main' | 'vip', gone: (address: string) => void) {
    this.#hub = hub;
    this.#connection = connection;
    this.#id = id;
    this.#name = name;
    this.#gone = gone;
    this.#source = connection.remote;
    this.#sinceMs = hub.clock.monotonicMs();
  }

  onData(bytes: Uint8Array): void {
    if (this.#channel !== undefined) this.#channel.onData(bytes);
    else if (!this.#refused) this.#begin(bytes);
  }

  onDrain(): void {
    this.#channel?.onDrain();
  }

  onClose(): void {
    this.#channel?.gone();
    this.#gone(this.#connection.remote.host);
  }

  end(): void {
    if (this.#channel !== undefined) this.#channel.end();
    else this.#connection.destroy();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  sweep(nowMs: number): void {
    if (this.#channel !== undefined) {
      const reason = this.#channel.overdue(nowMs);
      if (reason !== undefined) this.#channel.close(reason);
    } else if (nowMs - this.#sinceMs >= this.#hub.limits.firstByteTimeoutMs) {
      this.#refuse('nothing that tells its protocol, in time');
    }
  }

  #begin(bytes: Uint8Array): void {
    this.#first = this.#first.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#first, bytes]);
    for (;;) {
      if (this.#first.length === 0) return;
      const found = readFirstBytes(this.#first);
      switch (found.kind) {
        case 'more':
          if (this.#first.length > firstBytesMax) this.#refuse('a beginning that never ends');
          return;
        case 'remoting': {
          const first = this.#first;
          this.#first = Buffer.alloc(0);
          this.#channel = new Channel(this.#hub, this.#connection, this.#id, this.#name, this.#source);
          this.#channel.onData(first);
          return;
        }
        case 'proxy':
          if (this.#proxied) {
            this.#refuse('a second PROXY header');
            return;
          }
          this.#proxied = true;
          if (found.source !== undefined) this.#source = found.source;
          this.#first = this.#first.subarray(found.sizeBytes);
          break;
        case 'tls':
          this.#refuse('TLS, which is not served yet: connect without it (tls.enable=false)');
          return;
        default:
          this.#refuse(found.looksLike);
          return;
      }
    }
  }

  #refuse(what: string): void {
    const { host, port } = this.#source;
    this.#refused = true;
    this.#hub.counters.badFrames++;
    this.#hub.complain('remoting.refused', { peer: `${host}:${port}` }, `closing ${host}:${port}: it sent ${what}`);
    this.#connection.destroy();
  }
}
