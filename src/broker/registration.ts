import { crc32, JsonError, parseLooseJson, writeLooseJson } from '../common/mod.ts';
import type { Clock, Log, Timer, Timers } from '../io/mod.ts';
import type { RemotingClient } from '../remoting/mod.ts';
import { stepVersion } from './data-version.ts';
import { asObject } from './json-state.ts';
import type { NameServers } from './name-servers.ts';
import { configOf, type Topic } from './topic.ts';
import type { Topics } from './topics.ts';

/**
 * Tells all name servers what this broker has: everything at start and each half minute, changed topics at once. Each
 * name server is told on its own, so that one that is down never delays the others (RocketMQ: BrokerOuterAPI).
 */
export interface RegistrationParts {
  readonly client: Pick<RemotingClient, 'request'>;
  readonly nameServers: NameServers;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly identity: {
    readonly clusterName: string;
    readonly brokerName: string;
    /** `ip:port` that clients are told. */
    readonly address: string;
    readonly haAddress: string;
  };
  readonly config: {
    readonly brokerPermission: number;
    readonly registerNameServerPeriod: number;
    readonly registerBrokerTimeoutMills: number;
  };
}

/** Apache holds `registerNameServerPeriod` within these, since name servers forget a broker after two minutes. */
const periodMinMs = 10_000;
const periodMaxMs = 60_000;
/** A name server that could not be told is tried again this much later. */
const retryMs = 3_000;
/** Topics in one registration; larger tables go in several, each with a version of its own. */
const topicsPerFrame = 50_000;
const unregisterTimeoutMs = 3_000;

export class Registration {
  readonly #parts: RegistrationParts;
  readonly #repeating: Timer;
  /** Name servers that could not be told last time. */
  readonly #failing = new Set<string>();
  /** Those with a retry to come. */
  readonly #retrying = new Set<string>();
  #changed = new Set<string>();
  #stopped = false;

  private constructor(parts: RegistrationParts) {
    this.#parts = parts;
    const periodMs = Math.max(periodMinMs, Math.min(periodMaxMs, parts.config.registerNameServerPeriod));
    this.#repeating = parts.timers.every(periodMs, () => this.#registerEach());
    parts.nameServers.onChange(() => this.#registerEach());
    parts.topics.onChange((topics) => this.#announce(topics));
  }

  /** Resolves when one name server was told, or none could be: the others do not delay the start. */
  static async start(parts: RegistrationParts): Promise<Registration> {
    const registration = new Registration(parts);
    const told = registration.#registerEach();
    let left = told.length;
    if (left > 0) {
      await new Promise<void>((resolve) => {
        for (const one of told) void one.then((ok) => (ok || --left === 0 ? resolve() : undefined));
      });
    }
    return registration;
  }

  /** Whether at least one name server knows this broker. */
  get registered(): boolean {
    return this.#parts.nameServers.addresses.some((address) => !this.#failing.has(address));
  }

  /** Leaves all name servers, so that clients stop coming; never rejects. */
  async unregister(): Promise<void> {
    this.#stopped = true;
    this.#repeating.cancel();
    const { client, nameServers, identity, log } = this.#parts;
    const { clusterName, brokerName, address: brokerAddr } = identity;
    const leave = async (address: string) => {
      try {
        const header = { brokerName, brokerAddr, clusterName, brokerId: 0 };
        await client.request(address, 'unregisterBroker', header, { timeoutMs: unregisterTimeoutMs });
      } catch (cause) {
        log.warn('broker.unregister-failed', { nameServer: address, cause }, `${address} was not told of the stop`);
      }
    };
    await Promise.all(nameServers.addresses.map(leave));
  }

  /** Changes of one turn of the event loop go out together. */
  #announce(topics: readonly Topic[]): void {
    if (this.#changed.size === 0) this.#parts.timers.soon(() => this.#sendChanged());
    for (const topic of topics) this.#changed.add(topic.topicName);
  }

  #sendChanged(): void {
    const names = this.#changed;
    this.#changed = new Set();
    const { nameServers, topics } = this.#parts;
    const changed = [...names].map((name) => topics.get(name)).filter((topic) => topic !== undefined);
    if (changed.length === 0) return;
    const frames = this.#frames(changed);
    for (const address of nameServers.addresses) void this.#tell(address, frames);
  }

  /** Whether each of the name servers could be told everything. */
  #registerEach(): Promise<boolean>[] {
    const { nameServers, topics } = this.#parts;
    if (nameServers.addresses.length === 0) return [];
    const frames = this.#frames([...topics.all()]);
    return nameServers.addresses.map((address) => this.#tell(address, frames));
  }

  /** Frames of one connection are taken in order, so that they need not wait for each other. Never rejects. */
  async #tell(address: string, frames: readonly Uint8Array[]): Promise<boolean> {
    const told = await Promise.all(frames.map((frame) => this.#register(address, frame)));
    return told.every((ok) => ok);
  }

  async #register(address: string, body: Uint8Array): Promise<boolean> {
    if (this.#stopped) return false;
    const { client, identity, config, log } = this.#parts;
    const header = {
      brokerName: identity.brokerName,
      brokerAddr: identity.address,
      clusterName: identity.clusterName,
      haServerAddr: identity.haAddress,
      brokerId: 0,
      enableActingMaster: false,
      compressed: false,
      bodyCrc32: crc32(body) & 0x7fff_ffff,
    };
    try {
      const timeoutMs = config.registerBrokerTimeoutMills;
      const response = await client.request(address, 'registerBroker', header, { body, timeoutMs });
      if (response.code !== 0) throw new Error(`code ${response.code}: ${response.remark ?? ''}`);
      if (this.#failing.delete(address)) {
        log.info('broker.registered', { nameServer: address }, `registered with ${address} again`);
      }
      this.#takeOrders(response.body);
      return true;
    } catch (cause) {
      this.#retry(address, cause);
      return false;
    }
  }

  #retry(address: string, cause: unknown): void {
    const { timers, log, nameServers } = this.#parts;
    if (this.#stopped) return;
    if (!this.#failing.has(address)) {
      const why = cause instanceof Error ? cause.message : String(cause);
      log.warn(
        'broker.register-failed',
        { nameServer: address, cause },
        `not registered with ${address}: ${why}; trying again each ${retryMs / 1000} s`,
      );
    }
    this.#failing.add(address);
    if (this.#retrying.has(address)) return;
    this.#retrying.add(address);
    timers.after(retryMs, () => {
      this.#retrying.delete(address);
      if (this.#stopped || !this.#failing.has(address) || !nameServers.addresses.includes(address)) return;
      void this.#tell(address, this.#frames([...this.#parts.topics.all()]));
    });
  }

  /** Name servers answer with the topics that are to be read in order. */
  #takeOrders(body: Uint8Array): void {
    if (body.length === 0) return;
    try {
      const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
      const table = asObject(asObject(parseLooseJson(text))?.table);
      if (table !== undefined) this.#parts.topics.markOrdered(Object.keys(table));
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      this.#parts.log.warn('broker.register-reply-unreadable', { cause: error }, 'a name server answered no JSON');
    }
  }

  #frames(topics: readonly Topic[]): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let at = 0; at === 0 || at < topics.length; at += topicsPerFrame) {
      // Name servers take changes of topics that they know from a new version only.
      if (at > 0) stepVersion(this.#parts.topics.version, this.#parts.clock);
      frames.push(this.#body(topics.slice(at, at + topicsPerFrame)));
    }
    return frames;
  }

  #body(topics: readonly Topic[]): Uint8Array {
    const version = writeLooseJson(this.#parts.topics.version);
    const rows = topics.map((topic) => `${writeLooseJson(topic.topicName)}:${this.#rowOf(topic)}`);
    return Buffer.from(
      `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":${version},` +
        `"mappingDataVersion":${version},"topicConfigTable":{${rows.join(',')}},` +
        '"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}',
      'utf8',
    );
  }

  /** A topic loses what the broker itself may not do. */
  #rowOf(topic: Topic): string {
    const { brokerPermission } = this.#parts.config;
    if ((brokerPermission & readWrite) === readWrite) return topic.json;
    return writeLooseJson({ ...configOf(topic), perm: topic.perm & brokerPermission });
  }
}

const readWrite = 6;
