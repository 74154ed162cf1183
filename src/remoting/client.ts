/**
 * The remoting client: one connection per address, opened on first use, shared by all requests to it and opened anew
 * after it broke. A server that goes away (GO_AWAY) is asked once more over a new connection.
 */
import {
  type Clock,
  type Connection,
  type Log,
  type Network,
  NetworkError,
  type Timer,
  type Timers,
} from '../io/mod.ts';
import { parseAddress } from './address.ts';
import { Channel } from './channel.ts';
import { type RemotingClient, RemotingError } from './client-api.ts';
import { ResponseCode } from './codes.ts';
import type { CommandName, RequestOf, Role } from './commands.ts';
import { Deadline } from './deadlines.ts';
import { Dispatch } from './dispatch.ts';
import type { PartialHandlers, Response } from './handler.ts';
import { Hub } from './hub.ts';
import { defaultRemotingLimits, type RemotingLimits } from './limits.ts';

export interface RemotingClientOptions {
  readonly network: Pick<Network, 'connect'>;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
  /** What servers may ask over our connections. Other requests are answered with code 3. */
  readonly handlers?: PartialHandlers<'client' | 'broker'>;
  /** How requests of ours name their language (languages.ts); default NODE_JS. */
  readonly language?: string;
  /** Default 3,000. */
  readonly connectTimeoutMs?: number;
  readonly limits?: Partial<RemotingLimits>;
}

/** RocketMQ's client: 3 s for the connection and for an answer. */
const connectTimeoutDefaultMs = 3000;
const requestTimeoutDefaultMs = 3000;
const sweepPeriodMs = 10_000;

export function createRemotingClient(options: RemotingClientOptions): RemotingClient {
  return new Client(options);
}

interface RequestOptions {
  body?: Uint8Array | undefined;
  timeoutMs?: number;
  extra?: Readonly<Record<string, string>>;
}

/** The connection that requests to an address use now. */
interface Link {
  readonly opening: Promise<Channel>;
  /** Once it is open. */
  channel: Channel | undefined;
}

class Patience extends Deadline {
  override readonly expire: () => void;

  constructor(atMs: number, expire: () => void) {
    super(atMs);
    this.expire = expire;
  }
}

class Client implements RemotingClient {
  readonly #hub: Hub;
  readonly #network: Pick<Network, 'connect'>;
  readonly #connectTimeoutMs: number;
  readonly #links = new Map<string, Link>();
  /** All that are open, also those that a new one replaced. */
  readonly #open = new Set<Channel>();
  #disconnected: (address: string) => void = () => {};
  #sweeping: Timer | undefined;
  #lastId = 0;
  #stopped = false;

  constructor(options: RemotingClientOptions) {
    const limits = { ...defaultRemotingLimits, ...options.limits };
    const dispatch = new Dispatch((options.handlers ?? {}) as PartialHandlers<Role>);
    this.#hub = new Hub(options, dispatch, options.language ?? 'NODE_JS', limits);
    this.#network = options.network;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? connectTimeoutDefaultMs;
  }

  async request<K extends CommandName>(
    address: string,
    name: K,
    header: RequestOf<K>,
    { body, timeoutMs = requestTimeoutDefaultMs, extra }: RequestOptions = {},
  ): Promise<Response<K>> {
    const endMs = this.#hub.clock.monotonicMs() + timeoutMs;
    const channel = await this.#channelBy(endMs, address);
    const response = await channel.request(name, header, body, this.#leftMs(endMs, address), extra);
    if (response.code !== ResponseCode.GO_AWAY) return response;
    this.#replace(address, channel);
    const next = await this.#channelBy(endMs, address);
    return next.request(name, header, body, this.#leftMs(endMs, address), extra);
  }

  async oneway<K extends CommandName>(
    address: string,
    name: K,
    header: RequestOf<K>,
    body?: Uint8Array,
  ): Promise<void> {
    const channel = await this.#channel(address);
    channel.notify(name, header, body);
  }

  onDisconnect(disconnected: (address: string) => void): void {
    this.#disconnected = disconnected;
  }

  disconnect(address: string): void {
    const link = this.#links.get(address);
    this.#links.delete(address);
    link?.opening.then(
      (channel) => channel.destroy(),
      () => {},
    );
  }

  async close(): Promise<void> {
    this.#stopped = true;
    for (const channel of this.#open) channel.end();
    this.#links.clear();
    this.#sweeping?.cancel();
    this.#hub.deadlines.stop();
  }

  /** Waits for the connection no longer than until `endMs`; others may wait on. */
  #channelBy(endMs: number, address: string): Promise<Channel> {
    const opening = this.#channel(address);
    if (this.#links.get(address)?.channel !== undefined) return opening;
    return new Promise((resolve, reject) => {
      const patience = new Patience(endMs, () => {
        reject(new RemotingError('timeout', address, `no connection to ${address} in the time of the request`));
      });
      this.#hub.deadlines.add(patience);
      opening.then(resolve, reject).finally(() => this.#hub.deadlines.remove(patience));
    });
  }

  #leftMs(endMs: number, address: string): number {
    const leftMs = endMs - this.#hub.clock.monotonicMs();
    if (leftMs <= 0) throw new RemotingError('timeout', address, `no time left after connecting to ${address}`);
    return leftMs;
  }

  #channel(address: string): Promise<Channel> {
    if (this.#stopped) return Promise.reject(new RemotingError('stopped', address, 'this client was closed'));
    const known = this.#links.get(address);
    if (known !== undefined) return known.opening;
    const link: Link = { opening: this.#connect(address), channel: undefined };
    this.#links.set(address, link);
    link.opening.then(
      (channel) => {
        link.channel = channel;
        channel.onClose(() => {
          if (this.#forget(address, link) && !this.#stopped) this.#disconnected(address);
        });
      },
      () => this.#forget(address, link),
    );
    return link.opening;
  }

  /** False when requests to the address use another connection by now, or none. */
  #forget(address: string, link: Link): boolean {
    return this.#links.get(address) === link && this.#links.delete(address);
  }

  async #connect(address: string): Promise<Channel> {
    const endpoint = parseAddress(address);
    if (endpoint === undefined) throw new RemotingError('connect failed', address, `no address: '${address}'`);
    let connection: Connection;
    try {
      connection = await this.#network.connect(endpoint, this.#connectTimeoutMs);
    } catch (cause) {
      if (!(cause instanceof NetworkError)) throw cause;
      throw new RemotingError('connect failed', address, `no connection to ${address}: ${cause.message}`, cause);
    }
    if (this.#stopped) {
      connection.destroy();
      throw new RemotingError('stopped', address, 'this client was closed');
    }
    this.#hub.touch();
    const channel = new Channel(this.#hub, connection, ++this.#lastId, 'main');
    this.#open.add(channel);
    this.#hub.channelCount++;
    this.#sweeping ??= this.#hub.timers.every(sweepPeriodMs, () => this.#sweep());
    channel.onClose(() => this.#closed(channel));
    connection.start({
      onData: (bytes) => channel.onData(bytes),
      onDrain: () => channel.onDrain(),
      onClose: () => channel.gone(),
    });
    return channel;
  }

  #closed(channel: Channel): void {
    this.#open.delete(channel);
    this.#hub.channelCount--;
    if (this.#open.size > 0) return;
    this.#sweeping?.cancel();
    this.#sweeping = undefined;
  }

  /** The next request opens a new connection; the old one closes when its answers are in. */
  #replace(address: string, channel: Channel): void {
    if (this.#links.get(address)?.channel === channel) this.#links.delete(address);
    channel.endWhenAnswered();
  }

  #sweep(): void {
    const nowMs = this.#hub.sweep();
    for (const channel of this.#open) {
      const reason = channel.overdue(nowMs);
      if (reason !== undefined && channel.awaited === 0) channel.close(reason);
    }
  }
}
