import { assert, ipBytes } from '../common/mod.ts';
import type { Clock, Host, Log, Network, Random, Timers } from '../io/mod.ts';
import { createUniqueKeys, type UniqueKeys } from '../message/mod.ts';
import {
  type CommandName,
  createRemotingClient,
  type RemotingClient,
  RemotingError,
  type RequestOf,
  ResponseCode,
  type Response as ResponseFor,
} from '../remoting/mod.ts';
import { ClientError } from './client-error.ts';
import { type ConsumerData, Heartbeats } from './heartbeat.ts';
import { Lifetime } from './lifetime.ts';
import { NameServers } from './name-servers.ts';
import { RouteCache } from './route-cache.ts';

export interface ClientPorts {
  clock: Clock;
  timers: Timers;
  network: Network;
  random: Random;
  host: Host;
  log: Log;
}

export interface ClientOptions {
  /** `host:port` of the name servers. */
  nameServers: readonly string[];
  /** The address in client id and unique keys; default: the first that is not loopback. */
  ip?: string;
  /** Leaves subscriptions out of heartbeats that changed nothing, with brokers that know how (5.1). Default true. */
  heartbeatV2?: boolean;
}

/** A producer or consumer of this client, as heartbeats and notifications see it. */
export interface Member {
  readonly group: string;
  /** Undefined for a producer. */
  consumerData(): ConsumerData | undefined;
  /** The broker says that consumers of the group came, went or changed. */
  onConsumersChanged(): void;
  stop(): Promise<void>;
}

const routePeriodMs = 30_000;
const heartbeatPeriodMs = 30_000;

/**
 * What all producers and consumers of a process share: connections, routes, heartbeats, ids. Close it to stop them all.
 */
export class Client {
  readonly ports: ClientPorts;
  readonly id: string;
  readonly routes: RouteCache;
  readonly uniqueKeys: UniqueKeys;
  readonly #remoting: RemotingClient;
  readonly #heartbeats: Heartbeats;
  readonly #lifetime: Lifetime;
  readonly #members = new Set<Member>();
  #refreshing = false;

  constructor(ports: ClientPorts, options: ClientOptions) {
    const ip = options.ip ?? ownIp(ports.host);
    const bytes = ipBytes(ip);
    assert(bytes !== undefined, 'the ip of a client is a numeric address');
    this.ports = ports;
    this.id = `${ip}@${ports.host.pid}#${ports.random.below(2 ** 32)}`;
    this.uniqueKeys = createUniqueKeys({
      ip: bytes,
      pid: ports.host.pid,
      random: ports.random,
      clock: ports.clock,
      utcOffset: (wallMs) => ports.host.utcOffsetMinutes(wallMs),
    });
    this.#remoting = createRemotingClient({
      network: ports.network,
      timers: ports.timers,
      clock: ports.clock,
      log: ports.log,
      handlers: {
        notifyConsumerIdsChanged: ({ consumerGroup }) => {
          for (const member of this.#members) if (member.group === consumerGroup) member.onConsumersChanged();
          return {};
        },
      },
    });
    this.routes = new RouteCache(new NameServers(this.#remoting, options.nameServers, ports.random), ports.log);
    this.#heartbeats = new Heartbeats(this.#remoting, ports.log, options.heartbeatV2 ?? true);
    this.#lifetime = new Lifetime(ports.timers);
    this.#lifetime.every(routePeriodMs, () => void this.#refreshRoutes());
    this.#lifetime.every(heartbeatPeriodMs, () => void this.heartbeat());
  }

  /** A producer or consumer begins; at most one consumer and one producer of a group live in a client. */
  join(member: Member): void {
    if (this.#lifetime.ended) throw new ClientError('stopped', 'this client was closed');
    const isConsumer = member.consumerData() !== undefined;
    for (const other of this.#members) {
      if (other.group === member.group && (other.consumerData() !== undefined) === isConsumer) {
        throw new ClientError('invalid', `the group ${member.group} is in use in this client already`);
      }
    }
    this.#members.add(member);
  }

  /** A producer or consumer has stopped: the brokers are told at once, as well as may be. */
  async leave(member: Member): Promise<void> {
    if (!this.#members.delete(member)) return;
    const isConsumer = member.consumerData() !== undefined;
    const header = { clientID: this.id, [isConsumer ? 'consumerGroup' : 'producerGroup']: member.group };
    await Promise.all(
      [...this.#brokerAddresses(isConsumer)].map((address) =>
        this.request(address, 'unregisterClient', header).catch((error: unknown) => {
          if (!(error instanceof RemotingError)) throw error;
        }),
      ),
    );
  }

  /** Tells all brokers of the known routes which groups live here. */
  async heartbeat(): Promise<void> {
    if (this.#members.size === 0) return;
    const consumes = [...this.#members].some((member) => member.consumerData() !== undefined);
    const addresses = this.#brokerAddresses(consumes);
    this.#heartbeats.retain(addresses);
    await Promise.all([...addresses].map((address) => this.heartbeatTo(address)));
  }

  /** The same for one broker, which seems not to know us. */
  async heartbeatTo(address: string): Promise<void> {
    const consumers = [...this.#members].map((member) => member.consumerData());
    await this.#heartbeats.send(address, {
      clientID: this.id,
      consumerDataSet: consumers.filter((data) => data !== undefined),
      producerDataSet: [...this.#members]
        .filter((_, index) => consumers[index] === undefined)
        .map(({ group }) => ({ groupName: group })),
    });
  }

  /** The same for one that refuses us though it took our heartbeats: it gets all of it again. */
  async introduceTo(address: string): Promise<void> {
    this.#heartbeats.forget(address);
    await this.heartbeatTo(address);
  }

  /** A request with whatever code the server answers. Throws RemotingError. */
  request<K extends CommandName>(
    address: string,
    name: K,
    header: RequestOf<K>,
    options?: { body?: Uint8Array; timeoutMs?: number },
  ): Promise<ResponseFor<K>> {
    return this.#remoting.request(address, name, header, options);
  }

  /** A request that must succeed: any other code throws ClientError 'refused'. Throws RemotingError. */
  async call<K extends CommandName>(
    address: string,
    name: K,
    header: RequestOf<K>,
    options?: { body?: Uint8Array; timeoutMs?: number },
  ): Promise<ResponseFor<K>> {
    const response = await this.request(address, name, header, options);
    if (response.code === ResponseCode.SUCCESS) return response;
    throw refusal(address, name, response);
  }

  oneway<K extends CommandName>(address: string, name: K, header: RequestOf<K>, body?: Uint8Array): Promise<void> {
    return this.#remoting.oneway(address, name, header, body);
  }

  /** The master's address. Throws ClientError 'no route' when the broker or its master is gone. */
  masterOf(brokerName: string): string {
    const address = this.routes.address(brokerName);
    if (address !== undefined) return address;
    throw new ClientError('no route', `the broker ${brokerName} has no master`);
  }

  async close(): Promise<void> {
    this.#lifetime.end();
    await Promise.all([...this.#members].map((member) => member.stop()));
    await this.#remoting.close();
  }

  async #refreshRoutes(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      await this.routes.refresh();
    } finally {
      this.#refreshing = false;
    }
  }

  /** Producers talk to masters only; consumers may read from slaves. */
  #brokerAddresses(withSlaves: boolean): Set<string> {
    const addresses = new Set<string>();
    for (const byId of this.routes.brokers().values()) {
      for (const [id, address] of byId) if (withSlaves || id === 0) addresses.add(address);
    }
    return addresses;
  }
}

export function refusal(address: string, name: CommandName, response: { code: number; remark: string | undefined }) {
  const remark = response.remark ?? 'without a remark';
  return new ClientError('refused', `${name} at ${address}: code ${response.code}, ${remark}`, { code: response.code });
}

/** The first address that others may reach us by, IPv4 before IPv6. */
function ownIp(host: Host): string {
  const outside = host.interfaces().filter((one) => !one.internal && ipBytes(one.address) !== undefined);
  const found = outside.find((one) => one.family === 'ipv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}
