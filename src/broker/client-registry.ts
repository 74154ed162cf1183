import type { Clock, Log, Timer, Timers } from '../io/mod.ts';
import { type Peer, ResponseCode, ResponseError } from '../remoting/mod.ts';

/**
 * Who is connected: producers and consumers by group, as their heartbeats say. A client leaves by unregistering, by
 * closing its connection, or by silence; the others of its consumer group are told at once, so that they share the
 * queues anew (RocketMQ: ConsumerManager, ProducerManager). Changes of one turn of the event loop are told once: when the
 * ten thousand clients of a group lose their connections together, each is not told of each.
 */
export interface Client {
  readonly peer: Peer;
  readonly clientId: string;
  readonly language: string | undefined;
  readonly version: number;
  seenMs: number;
}

/** What a group reads of one topic. */
export interface Subscription {
  readonly topic: string;
  readonly subString: string;
  readonly expressionType: string;
  readonly subVersion: number;
  readonly classFilterMode: boolean;
  readonly tagsSet: readonly string[];
  readonly codeSet: readonly number[];
  /** By tags code; undefined: everything. */
  readonly accepts: ((tagsCode: number) => boolean) | undefined;
}

/** How a group consumes, as its last heartbeat said. */
export interface ConsumerKind {
  readonly consumeType: string;
  readonly messageModel: string;
  readonly consumeFromWhere: string;
}

export interface ConsumerGroup extends ConsumerKind {
  /** By peer. */
  readonly clients: ReadonlyMap<number, Client>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
}

/** With the client that it came from. */
interface Subscribed extends Subscription {
  readonly clientId: string;
}

interface MutableGroup extends ConsumerGroup {
  consumeType: string;
  messageModel: string;
  consumeFromWhere: string;
  readonly clients: Map<number, Client>;
  subscriptions: ReadonlyMap<string, Subscribed>;
  /** Of the last heartbeat of the second kind; 0 for the first. */
  fingerprint: number;
  notify: boolean;
}

interface Connected {
  readonly producerGroups: Set<string>;
  readonly consumerGroups: Set<string>;
}

const scanPeriodMs = 10_000;
/** Groups of producers, and of consumers, that one connection may be in; further ones are refused. */
const groupsPerPeerMax = 4096;
/** Characters of a group or a client id. */
const nameLengthMax = 1024;

export interface RegistryRules {
  readonly channelExpiredTimeout: number;
  readonly notifyConsumerIdsChangedEnable: boolean;
  readonly enableRegisterProducer: boolean;
}

export class ClientRegistry {
  readonly #rules: RegistryRules;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #consumers = new Map<string, MutableGroup>();
  readonly #producers = new Map<string, Map<number, Client>>();
  readonly #peers = new Map<number, Connected>();
  readonly #timers: Timers;
  readonly #scan: Timer;
  /** Groups whose clients are to be told at the end of this turn. */
  #changed = new Set<string>();

  constructor(rules: RegistryRules, ports: { clock: Clock; timers: Timers; log: Log }) {
    this.#rules = rules;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#timers = ports.timers;
    this.#scan = ports.timers.every(scanPeriodMs, () => this.#expire());
  }

  consumerGroup(name: string): ConsumerGroup | undefined {
    return this.#consumers.get(name);
  }

  /** Groups with a consumer that subscribes to the topic. */
  subscribersOf(topic: string): string[] {
    return [...this.#consumers].filter(([, group]) => group.subscriptions.has(topic)).map(([name]) => name);
  }

  producers(group: string): ReadonlyMap<number, Client> | undefined {
    return this.#producers.get(group);
  }

  counts(): { producers: number; consumers: number } {
    let producers = 0;
    let consumers = 0;
    for (const clients of this.#producers.values()) producers += clients.size;
    for (const group of this.#consumers.values()) consumers += group.clients.size;
    return { producers, consumers };
  }

  registerProducer(group: string, peer: Peer, who: Pick<Client, 'clientId' | 'language' | 'version'>): void {
    if (!this.#rules.enableRegisterProducer) return;
    const connected = this.#connected(peer);
    if (connected === undefined) return;
    checkRoom(connected.producerGroups, group, who.clientId);
    let clients = this.#producers.get(group);
    if (clients === undefined) {
      clients = new Map();
      this.#producers.set(group, clients);
    }
    this.#touch(clients, peer, who);
    connected.producerGroups.add(group);
  }

  /**
   * Registers or renews a consumer. `subscriptions` undefined keeps what is known of the group (a heartbeat without
   * them); `notify` is the group's own switch. Gives true when the broker does not have what the client believes it has:
   * the group had another fingerprint before, or this client left the subscriptions out though it is new on this
   * connection: to a broker that was started anew, or by way of a second connection. (Apache answers false there, and
   * the group gets no messages until its clients start anew.)
   */
  registerConsumer(
    name: string,
    peer: Peer,
    who: Pick<Client, 'clientId' | 'language' | 'version'>,
    kind: ConsumerKind,
    subscriptions: readonly Subscription[] | undefined,
    fingerprint: number,
    notify: boolean,
  ): boolean {
    const connected = this.#connected(peer);
    if (connected === undefined) return false;
    checkRoom(connected.consumerGroups, name, who.clientId);
    let group = this.#consumers.get(name);
    const isNew = group === undefined;
    if (group === undefined) {
      group = { ...kind, clients: new Map(), subscriptions: new Map(), fingerprint, notify };
      this.#consumers.set(name, group);
    }
    Object.assign(group, kind);
    group.notify = notify;
    const joined = this.#touch(group.clients, peer, who);
    connected.consumerGroups.add(name);
    const resubscribed = subscriptions !== undefined && subscribe(group, who.clientId, subscriptions);
    if (joined || resubscribed) {
      this.#log.info(
        'broker.group-changed',
        { group: name, clientId: who.clientId, joined, resubscribed, clients: group.clients.size },
        `${who.clientId} ${joined ? 'joined' : 'changed the subscription of'} group ${name}`,
      );
      this.#tellLater(name);
    }
    const fingerprintChanged = !isNew && group.fingerprint !== fingerprint;
    group.fingerprint = fingerprint;
    return fingerprintChanged || (subscriptions === undefined && joined);
  }

  unregisterProducer(group: string, peer: Peer): void {
    this.#peers.get(peer.id)?.producerGroups.delete(group);
    this.#removeProducer(group, peer.id);
  }

  unregisterConsumer(group: string, peer: Peer): void {
    this.#peers.get(peer.id)?.consumerGroups.delete(group);
    this.#removeConsumer(group, peer.id);
  }

  close(): void {
    this.#scan.cancel();
  }

  /** True when the client is new on this connection. */
  #touch(clients: Map<number, Client>, peer: Peer, who: Pick<Client, 'clientId' | 'language' | 'version'>): boolean {
    const seenMs = this.#clock.monotonicMs();
    const known = clients.get(peer.id);
    if (known !== undefined && known.clientId === who.clientId) {
      known.seenMs = seenMs;
      return false;
    }
    clients.set(peer.id, { peer, ...who, seenMs });
    return known === undefined;
  }

  /** The peer's entry, made at its first registration. Undefined when the connection is gone already. */
  #connected(peer: Peer): Connected | undefined {
    const known = this.#peers.get(peer.id);
    if (known !== undefined) return known;
    const connected: Connected = { producerGroups: new Set(), consumerGroups: new Set() };
    this.#peers.set(peer.id, connected);
    peer.onClose(() => {
      this.#peers.delete(peer.id);
      for (const group of connected.producerGroups) this.#removeProducer(group, peer.id);
      for (const group of connected.consumerGroups) this.#removeConsumer(group, peer.id);
    });
    return this.#peers.get(peer.id);
  }

  #removeProducer(group: string, peerId: number): void {
    const clients = this.#producers.get(group);
    if (clients?.delete(peerId) && clients.size === 0) this.#producers.delete(group);
  }

  #removeConsumer(name: string, peerId: number): void {
    const group = this.#consumers.get(name);
    const client = group?.clients.get(peerId);
    if (group === undefined || client === undefined) return;
    group.clients.delete(peerId);
    this.#log.info(
      'broker.group-changed',
      { group: name, clientId: client.clientId, left: true, clients: group.clients.size },
      `${client.clientId} left group ${name}`,
    );
    if (group.clients.size === 0) this.#consumers.delete(name);
    else this.#tellLater(name);
  }

  #tellLater(name: string): void {
    if (!this.#rules.notifyConsumerIdsChangedEnable) return;
    if (this.#changed.size === 0) this.#timers.soon(() => this.#tell());
    this.#changed.add(name);
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const name of changed) {
      const group = this.#consumers.get(name);
      if (group === undefined || !group.notify || group.messageModel === 'BROADCASTING') continue;
      for (const { peer } of group.clients.values()) peer.notify('notifyConsumerIdsChanged', { consumerGroup: name });
    }
  }

  /** Closing the connection removes the client from all its groups. */
  #expire(): void {
    const limitMs = this.#clock.monotonicMs() - this.#rules.channelExpiredTimeout;
    const silent = new Set<Peer>();
    for (const clients of this.#producers.values()) collectSilent(clients, limitMs, silent);
    for (const group of this.#consumers.values()) collectSilent(group.clients, limitMs, silent);
    for (const peer of silent) peer.close(`no heartbeat for ${this.#rules.channelExpiredTimeout} ms`);
  }
}

function checkRoom(groups: ReadonlySet<string>, group: string, clientId: string): void {
  if (groups.has(group)) return;
  if (group.length > nameLengthMax || clientId.length > nameLengthMax) {
    throw new ResponseError(
      ResponseCode.SYSTEM_ERROR,
      `a group or client id of more than ${nameLengthMax} characters is not registered`,
    );
  }
  if (groups.size >= groupsPerPeerMax) {
    throw new ResponseError(
      ResponseCode.SYSTEM_ERROR,
      `${clientId} is in ${groupsPerPeerMax} groups, the limit of a connection: unregister some`,
    );
  }
}

function collectSilent(clients: ReadonlyMap<number, Client>, limitMs: number, into: Set<Peer>): void {
  for (const client of clients.values()) if (client.seenMs < limitMs) into.add(client.peer);
}

/**
 * Takes the newer subscription of each topic; true when topics came or went. Versions are stamps of the clients' clocks:
 * among those of one client the last that came is the newest, since its clock may have been set back. (RocketMQ:
 * updateSubscription, which then keeps the old one for ever.)
 */
function subscribe(group: MutableGroup, clientId: string, subscriptions: readonly Subscription[]): boolean {
  const next = new Map<string, Subscribed>();
  let changed = false;
  for (const subscription of subscriptions) {
    const known = group.subscriptions.get(subscription.topic);
    if (known === undefined) changed = true;
    const isStale = known !== undefined && known.clientId !== clientId && known.subVersion >= subscription.subVersion;
    next.set(subscription.topic, isStale ? known : { ...subscription, clientId });
  }
  for (const topic of group.subscriptions.keys()) if (!next.has(topic)) changed = true;
  group.subscriptions = next;
  return changed;
}
