import type { Clock, Log, Timers, Workers } from '../io/mod.ts';
import { ResponseCode, ResponseError } from '../remoting/mod.ts';
import { type BrokerConnection, brokerKey, type LiveBroker } from './broker-liveness.ts';
import { limits } from './limits.ts';
import { OrderedTasks } from './ordered-tasks.ts';
import {
  decodeRegisterBody,
  decodeRegisterBodyTask,
  type RegisterBody,
  type RegisterBodyForm,
} from './register-body.ts';
import {
  type BrokerTables,
  type MinBrokerChange,
  type RegisterResult,
  type Registration,
  registerBroker,
  unregisterBroker,
} from './registration.ts';

/** What of the configuration counts here, as it is at the moment. */
interface MembershipConfig {
  readonly deleteTopicWithBrokerRegistration: boolean;
  readonly unRegisterBrokerQueueCapacity: number;
}

/**
 * The coming and going of brokers in time: bodies are decoded (large ones by a worker), registrations and departures of
 * one broker are applied in the order in which they came, connections that close take their brokers with them, and
 * silent brokers are removed.
 */
export class Membership {
  readonly #tables: BrokerTables;
  readonly #config: MembershipConfig;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #workers: Workers;
  readonly #log: Log;
  readonly #announce: (change: MinBrokerChange) => void;
  readonly #order = new OrderedTasks();
  /** Connections whose end we wait for already, and those that have ended. */
  readonly #watched = new WeakSet<BrokerConnection>();
  readonly #closed = new WeakSet<BrokerConnection>();
  #decodingBytes = 0;

  constructor(
    ports: { clock: Clock; timers: Timers; workers: Workers; log: Log },
    tables: BrokerTables,
    config: MembershipConfig,
    announce: (change: MinBrokerChange) => void,
  ) {
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#workers = ports.workers;
    this.#log = ports.log;
    this.#tables = tables;
    this.#config = config;
    this.#announce = announce;
  }

  /** `body` is read during the call only. Throws or rejects with ResponseError. */
  register(
    broker: Omit<Registration, 'body'>,
    body: Uint8Array,
    form: RegisterBodyForm,
  ): RegisterResult | Promise<RegisterResult> {
    const key = brokerKey(broker.cluster, broker.address);
    if (!form.startsWith('compressed') && body.length <= limits.inlineBodySizeMax) {
      const decoded = decodeInline(body, form);
      return this.#order.run(key, () => this.#apply({ ...broker, body: decoded }));
    }
    const decoding = this.#decode(body.slice(), form);
    // It may wait for an earlier task of this broker: until then nobody else looks at a failure.
    decoding.catch(() => {});
    return this.#order.run(key, async () => this.#apply({ ...broker, body: await decoding }));
  }

  /**
   * Ends a registration at the broker's own wish. One that was made on a younger connection stays: the broker has
   * started again since. Throws ResponseError when too many departures wait.
   */
  unregister(cluster: string, address: string, brokerName: string, connection: BrokerConnection): void | Promise<void> {
    if (this.#order.waiting >= this.#config.unRegisterBrokerQueueCapacity) {
      throw new ResponseError(
        ResponseCode.SYSTEM_ERROR,
        `${this.#order.waiting} registrations and departures are waiting, the limit (unRegisterBrokerQueueCapacity)`,
      );
    }
    return this.#order.run(brokerKey(cluster, address), () => {
      const broker = this.#tables.liveness.get(cluster, address);
      if (broker === undefined || broker.brokerName !== brokerName) return;
      if (broker.connection.id > connection.id) {
        this.#log.info('namesrv.late.unregistration', facts(broker), 'late unregistration: the broker is back already');
        return;
      }
      this.#remove(broker, 'unregistered');
    });
  }

  /** Removes brokers that were silent for too long, and closes their connections. */
  expire(): void {
    for (const broker of this.#tables.liveness.expired(this.#clock.monotonicMs())) {
      this.#remove(broker, `silent for ${broker.heartbeatTimeoutMs} ms`);
      broker.connection.close(`broker ${broker.address} was silent for ${broker.heartbeatTimeoutMs} ms`);
    }
  }

  async #decode(body: Uint8Array, form: RegisterBodyForm): Promise<RegisterBody> {
    if (this.#decodingBytes + body.length > limits.decodingBytesMax) {
      throw new ResponseError(
        ResponseCode.SYSTEM_BUSY,
        `registrations of ${this.#decodingBytes} bytes wait to be read, the limit is ${limits.decodingBytesMax}`,
      );
    }
    this.#decodingBytes += body.length;
    try {
      return await this.#workers.run(decodeRegisterBodyTask, { body, form }).catch(undecodable);
    } finally {
      this.#decodingBytes -= body.length;
    }
  }

  #apply(registration: Registration): RegisterResult | Promise<RegisterResult> {
    const { cluster, address, connection } = registration;
    const known = this.#tables.liveness.get(cluster, address);
    const steps = registerBroker(this.#tables, registration, {
      nowMs: this.#clock.monotonicMs(),
      deleteMissingTopics: this.#config.deleteTopicWithBrokerRegistration,
    });
    const first = steps.next();
    const broker = this.#tables.liveness.get(cluster, address);
    if (broker === undefined) {
      this.#log.warn(
        'namesrv.broker.outranked',
        { cluster, broker: registration.brokerName, id: registration.brokerId, address },
        'registration ignored: another address has this broker id by a newer election',
      );
    } else if (known === undefined) {
      this.#log.info('namesrv.broker.registered', facts(broker), 'broker registered');
    }
    // A worker may have read the body for longer than the connection lasted.
    if (this.#closed.has(connection)) this.#connectionClosed(connection);
    else if (!this.#watched.has(connection)) {
      this.#watched.add(connection);
      connection.onClose(() => this.#connectionClosed(connection));
    }
    return first.done ? this.#registered(first.value) : this.#applyRest(steps);
  }

  /** Others get their turn between two slices. */
  async #applyRest(steps: ReturnType<typeof registerBroker>): Promise<RegisterResult> {
    for (;;) {
      await new Promise<void>((resolve) => this.#timers.soon(resolve));
      const step = steps.next();
      if (step.done) return this.#registered(step.value);
    }
  }

  #registered(result: RegisterResult): RegisterResult {
    for (const change of result.minBrokerChanges) this.#announce(change);
    return result;
  }

  #connectionClosed(connection: BrokerConnection): void {
    this.#closed.add(connection);
    for (const broker of this.#tables.liveness.all()) {
      if (broker.connection.id === connection.id) this.#remove(broker, 'its connection closed');
    }
  }

  #remove(broker: LiveBroker, why: string): void {
    const change = unregisterBroker(this.#tables, broker);
    this.#log.info('namesrv.broker.left', { ...facts(broker), why }, `broker left: ${why}`);
    if (change !== undefined) this.#announce(change);
  }
}

function facts(broker: LiveBroker): Record<string, unknown> {
  return { cluster: broker.cluster, broker: broker.brokerName, id: broker.brokerId, address: broker.address };
}

function decodeInline(body: Uint8Array, form: RegisterBodyForm): RegisterBody {
  try {
    return decodeRegisterBody({ body, form });
  } catch (error) {
    return undecodable(error);
  }
}

function undecodable(error: unknown): never {
  const why = error instanceof Error ? error.message : String(error);
  throw new ResponseError(ResponseCode.SYSTEM_ERROR, `Failed to decode RegisterBrokerBody: ${why}`, error);
}
