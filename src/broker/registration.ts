import { backoffMs, JsonError, parseLooseJson } from '../common/mod.ts';
import type { Clock, Log, Random, Timer, Timers } from '../io/mod.ts';
import type { RemotingClient } from '../remoting/mod.ts';
import { asObject } from './json-state.ts';
import type { NameServers } from './name-servers.ts';
import { type RegistrationFrame, registrationFrames } from './registration-frames.ts';
import type { Topic } from './topic.ts';
import type { Topics } from './topics.ts';

/**
 * Tells all name servers what this broker has: everything at start, each half minute and when a connection was lost,
 * changed topics at once. Each name server is told on its own, so that one that is down never delays the others
 * (RocketMQ: BrokerOuterAPI).
 */
export interface RegistrationParts {
  readonly client: Pick<RemotingClient, 'request' | 'onDisconnect'>;
  readonly nameServers: NameServers;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
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
/**
 * Until a name server that could not be told, or whose connection broke, is tried again. One that was started anew knows
 * nobody: until a broker is back there, clients that ask it find no route.
 */
const retryFirstMs = 100;
const retryMaxMs = 3_000;
const unregisterTimeoutMs = 3_000;

export class Registration {
  readonly #parts: RegistrationParts;
  readonly #repeating: Timer;
  /** Name servers that know this broker. */
  readonly #told = new Set<string>();
  /** Those that do not, by how often in a row it failed. */
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, Timer>();
  #making: Promise<unknown> = Promise.resolve();
  #changed = new Set<string>();
  #stopped = false;

  private constructor(parts: RegistrationParts) {
    this.#parts = parts;
    const periodMs = Math.max(periodMinMs, Math.min(periodMaxMs, parts.config.registerNameServerPeriod));
    this.#repeating = parts.timers.every(periodMs, () => this.#registerEach());
    parts.nameServers.onChange(() => this.#registerEach());
    parts.topics.onChange((topics) => this.#announce(topics));
    parts.client.onDisconnect((address) => this.#lost(address));
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
    return this.#parts.nameServers.addresses.some((address) => this.#told.has(address));
  }

  /** Leaves all name servers, so that clients stop coming; never rejects. */
  async unregister(): Promise<void> {
    this.#stopped = true;
    this.#repeating.cancel();
    for (const retry of this.#retries.values()) retry.cancel();
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
    // As they are when the frame is made: it carries the version of that moment.
    const frames = this.#frames(() =>
      [...names].map((name) => topics.get(name)).filter((topic) => topic !== undefined),
    );
    for (const address of nameServers.addresses) void this.#tell(address, frames);
  }

  /** Whether each of the name servers could be told everything. */
  #registerEach(): Promise<boolean>[] {
    const { nameServers } = this.#parts;
    if (nameServers.addresses.length === 0) return [];
    const frames = this.#allFrames();
    return nameServers.addresses.map((address) => this.#tellAll(address, frames));
  }

  /** Only who was told everything knows this broker: a name server that was started anew may take changes alone. */
  async #tellAll(address: string, frames: Promise<readonly RegistrationFrame[]>): Promise<boolean> {
    if (!(await this.#tell(address, frames))) return false;
    this.#told.add(address);
    if (this.#failures.delete(address)) {
      this.#parts.log.info('broker.registered', { nameServer: address }, `registered with ${address} again`);
    }
    return true;
  }

  /** Frames of one connection are taken in order, so that they need not wait for each other. Never rejects. */
  async #tell(address: string, frames: Promise<readonly RegistrationFrame[]>): Promise<boolean> {
    const told = await Promise.all((await frames).map((frame) => this.#register(address, frame)));
    return told.every((ok) => ok);
  }

  async #register(address: string, { body, bodyCrc32 }: RegistrationFrame): Promise<boolean> {
    if (this.#stopped) return false;
    const { client, identity, config } = this.#parts;
    const header = {
      brokerName: identity.brokerName,
      brokerAddr: identity.address,
      clusterName: identity.clusterName,
      haServerAddr: identity.haAddress,
      brokerId: 0,
      enableActingMaster: false,
      compressed: false,
      bodyCrc32,
    };
    try {
      const timeoutMs = config.registerBrokerTimeoutMills;
      const response = await client.request(address, 'registerBroker', header, { body, timeoutMs });
      if (response.code !== 0) throw new Error(`code ${response.code}: ${response.remark ?? ''}`);
      this.#takeOrders(response.body);
      return true;
    } catch (cause) {
      this.#failed(address, cause);
      return false;
    }
  }

  /** The name server has dropped this broker when it saw the connection close, or is no more. */
  #lost(address: string): void {
    this.#told.delete(address);
    if (!this.#parts.nameServers.addresses.includes(address)) return;
    this.#failed(address, new Error('the connection was closed'));
  }

  #failed(address: string, cause: unknown): void {
    const { log, timers, random } = this.#parts;
    if (this.#stopped) return;
    this.#told.delete(address);
    if (!this.#failures.has(address)) {
      const why = cause instanceof Error ? cause.message : String(cause);
      log.warn(
        'broker.register-failed',
        { nameServer: address, cause },
        `not registered with ${address}: ${why}; trying again each ${retryMaxMs / 1000} s or sooner`,
      );
    }
    // What fails together is one failure, with one retry.
    if (this.#retries.has(address)) return;
    const failures = (this.#failures.get(address) ?? 0) + 1;
    this.#failures.set(address, failures);
    const delayMs = backoffMs(failures, retryFirstMs, retryMaxMs, random.float());
    this.#retries.set(
      address,
      timers.after(delayMs, () => this.#tryAgain(address)),
    );
  }

  #tryAgain(address: string): void {
    this.#retries.delete(address);
    if (!this.#parts.nameServers.addresses.includes(address)) this.#failures.delete(address);
    else if (this.#failures.has(address)) void this.#tellAll(address, this.#allFrames());
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

  #allFrames(): Promise<readonly RegistrationFrame[]> {
    return this.#frames(() => [...this.#parts.topics.all()]);
  }

  /** Made one after the other, so that none arrives behind one of a later version. */
  #frames(topics: () => readonly Topic[]): Promise<readonly RegistrationFrame[]> {
    const { topics: table, config } = this.#parts;
    const frames = this.#making.then(() =>
      registrationFrames(topics(), table.version, config.brokerPermission, this.#parts),
    );
    this.#making = frames;
    return frames;
  }
}
