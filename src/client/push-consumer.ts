import { type JsonValue, parseLooseJson } from '../common/mod.ts';
import { isRetryTopic, retryTopicOf } from '../message/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import { type Allocation, allocate } from './allocate.ts';
import { AssignedQueue } from './assigned-queue.ts';
import type { Client, Member } from './client.ts';
import { ClientError } from './client-error.ts';
import { ConcurrentConsumption } from './concurrent-consumption.ts';
import type { Consumption, Listener } from './consumption.ts';
import type { ConsumerData, Subscription } from './heartbeat.ts';
import { Lifetime } from './lifetime.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import { BrokerOffsets, LocalOffsets, type OffsetStore } from './offset-store.ts';
import { OrderedConsumption } from './ordered-consumption.ts';
import { QueueLocks } from './queue-locks.ts';
import { maxOffset, offsetByTime } from './queue-offsets.ts';
import { readQueue } from './queue-reader.ts';
import { type Route, subscribeQueues } from './route.ts';
import { subscribeTo } from './subscription.ts';

export interface PushConsumerOptions {
  group: string;
  /** Topic → tag expression, `*` for all. */
  subscriptions: Readonly<Record<string, string>>;
  listener: Listener;
  /** Each queue's messages one batch after the other. Default false. */
  ordered?: boolean;
  /** Every consumer of the group gets every message. Default false. */
  broadcast?: boolean;
  /** Where a group begins that never consumed the queue. Default 'last'. */
  from?: 'first' | 'last' | { timestampMs: number };
  /** Listeners that run at once; default 20. */
  concurrency?: number;
  /** Messages for one call of the listener; default 1. */
  batchSizeMax?: number;
  /** Default 16, without bound when ordered. */
  maxReconsumeTimes?: number;
  allocation?: Allocation;
  /** How long a stop waits for listeners that run; default 5,000. */
  stopTimeoutMs?: number;
}

const concurrencyDefault = 20;
const maxReconsumeTimesDefault = 16;
const stopTimeoutDefaultMs = 5000;
const rebalancePeriodMs = 20_000;
const persistPeriodMs = 5000;
const lockPeriodMs = 20_000;
/** Another consumer still holds a lock: it will give it back soon. */
const lockRetryDelayMs = 500;
/** A listener that runs for longer does not keep its queue's lock from the next consumer. */
const releaseTimeoutMs = 20_000;

/** Consumes the queues of its topics that fall to it, and shares them with the other consumers of the group. */
export class PushConsumer implements Member {
  readonly group: string;
  readonly #client: Client;
  readonly #options: PushConsumerOptions;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  readonly #offsets: OffsetStore;
  readonly #locks: QueueLocks;
  readonly #consumption: Consumption;
  readonly #lifetime: Lifetime;
  readonly #assigned = new Map<string, AssignedQueue>();
  #rebalancing: Promise<void> | undefined;
  #rebalanceAgain = false;

  /** Joins the group; begins with `start`. */
  constructor(client: Client, options: PushConsumerOptions) {
    this.group = options.group;
    this.#client = client;
    this.#options = options;
    const nowMs = client.ports.clock.wallMs();
    const expressions = new Map(Object.entries(options.subscriptions));
    if (!options.broadcast) expressions.set(retryTopicOf(options.group), '*');
    this.#subscriptions = new Map(
      [...expressions].map(([topic, expression]) => [topic, subscribeTo(topic, expression, nowMs)]),
    );
    this.#offsets = options.broadcast ? new LocalOffsets() : new BrokerOffsets(client, options.group);
    this.#locks = new QueueLocks(client, options.group);
    this.#consumption = this.#makeConsumption();
    this.#lifetime = new Lifetime(client.ports.timers);
    client.join(this);
  }

  /** Resolves when the first queues are assigned. Throws ClientError when no name server answers. */
  async start(): Promise<void> {
    for (const topic of this.#subscriptions.keys()) await this.#client.routes.route(topic);
    await this.#client.heartbeat();
    this.#lifetime.every(rebalancePeriodMs, () => this.onConsumersChanged());
    this.#lifetime.every(persistPeriodMs, () => void this.#offsets.persist(this.assignment()));
    if (this.#needsLocks) this.#lifetime.every(lockPeriodMs, () => void this.#renewLocks());
    await this.#rebalance();
  }

  /** Stops pulling, waits for the listeners that run, stores the offsets and leaves the group. */
  async stop(): Promise<void> {
    if (this.#lifetime.ended) return;
    this.#lifetime.end();
    for (const assigned of this.#assigned.values()) assigned.lifetime.end();
    await this.#rebalancing;
    await this.#waitFor(this.#consumption.idle(), this.#options.stopTimeoutMs ?? stopTimeoutDefaultMs);
    const queues = this.assignment();
    await this.#offsets.persist(queues);
    if (this.#needsLocks) await this.#locks.unlock(queues);
    this.#assigned.clear();
    await this.#client.leave(this);
  }

  /** The queues that are this consumer's now. */
  assignment(): MessageQueue[] {
    return [...this.#assigned.values()].map(({ queue }) => queue);
  }

  consumerData(): ConsumerData {
    const { from, broadcast } = this.#options;
    return {
      groupName: this.group,
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: broadcast ? 'BROADCASTING' : 'CLUSTERING',
      consumeFromWhere:
        typeof from === 'object'
          ? 'CONSUME_FROM_TIMESTAMP'
          : from === 'first'
            ? 'CONSUME_FROM_FIRST_OFFSET'
            : 'CONSUME_FROM_LAST_OFFSET',
      subscriptionDataSet: [...this.#subscriptions.values()],
      unitMode: false,
    };
  }

  onConsumersChanged(): void {
    void this.#rebalance();
  }

  get #needsLocks(): boolean {
    return this.#options.ordered === true && this.#options.broadcast !== true;
  }

  #makeConsumption(): Consumption {
    const { group, listener, ordered = false, broadcast = false } = this.#options;
    const maxReconsumeTimes =
      this.#options.maxReconsumeTimes ?? (ordered ? Number.POSITIVE_INFINITY : maxReconsumeTimesDefault);
    const options = {
      client: this.#client,
      group,
      listener,
      offsets: this.#offsets,
      concurrency: this.#options.concurrency ?? concurrencyDefault,
      batchSizeMax: this.#options.batchSizeMax ?? 1,
      maxReconsumeTimes,
      broadcast,
    };
    return ordered ? new OrderedConsumption(options) : new ConcurrentConsumption(options);
  }

  /** One at a time; what asks for it meanwhile makes it run once more. */
  #rebalance(): Promise<void> {
    if (this.#rebalancing !== undefined) {
      this.#rebalanceAgain = true;
      return this.#rebalancing;
    }
    this.#rebalancing = this.#rebalanceUntilQuiet().finally(() => {
      this.#rebalancing = undefined;
    });
    return this.#rebalancing;
  }

  async #rebalanceUntilQuiet(): Promise<void> {
    do {
      this.#rebalanceAgain = false;
      for (const topic of this.#subscriptions.keys()) {
        if (this.#lifetime.ended) return;
        try {
          await this.#rebalanceTopic(topic);
        } catch (error) {
          if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
          if (this.#lifetime.ended) return;
          this.#client.ports.log.warn(
            'client.rebalance-failed',
            { group: this.group, topic, error },
            `The queues of ${topic} stay as they were: ${error.message}`,
          );
        }
      }
    } while (this.#rebalanceAgain);
  }

  async #rebalanceTopic(topic: string): Promise<void> {
    const route = await this.#client.routes.route(topic);
    if (route === undefined) {
      // The retry topic comes with the first heartbeat that a broker registers.
      if (isRetryTopic(topic)) return;
      throw new ClientError('no route', `no name server knows the topic ${topic}`);
    }
    const all = subscribeQueues(route, topic);
    const mine = this.#options.broadcast
      ? all
      : allocate(this.#options.allocation ?? 'averagely', all, await this.#consumerIds(route), this.#client.id);
    const wanted = new Map(mine.map((queue) => [queueKey(queue), queue]));
    for (const [key, assigned] of [...this.#assigned]) {
      if (assigned.queue.topic === topic && !wanted.has(key)) await this.#release(assigned);
    }
    for (const [key, queue] of wanted) {
      if (this.#lifetime.ended) return;
      if (!this.#assigned.has(key)) await this.#take(queue);
    }
  }

  /** The ids of the group's consumers, as a broker of the topic knows them. */
  async #consumerIds(route: Route): Promise<string[]> {
    const brokerNames = [...route.brokers.keys()];
    if (brokerNames.length === 0) throw new ClientError('no route', 'the topic has no broker');
    const brokerName = brokerNames[this.#client.ports.random.below(brokerNames.length)];
    const address = this.#client.routes.anyAddress(brokerName);
    if (address === undefined) throw new ClientError('no route', `the broker ${brokerName} is gone`);
    const ids = await this.#askConsumerIds(address).catch((error: unknown): string[] => {
      if (error instanceof ClientError && error.failure === 'refused') return [];
      throw error;
    });
    if (ids.includes(this.#client.id)) return ids;
    // A broker that was started anew, or is new in the route, has not heard of us.
    await this.#client.heartbeatTo(address);
    return this.#askConsumerIds(address);
  }

  async #askConsumerIds(address: string): Promise<string[]> {
    const response = await this.#client.call(address, 'getConsumerListByGroup', { consumerGroup: this.group });
    let value: JsonValue;
    try {
      value = parseLooseJson(Buffer.from(response.body).toString('utf8'));
    } catch (cause) {
      throw new ClientError('invalid', `${address} sent a consumer list that is no JSON`, { cause });
    }
    const list = typeof value === 'object' && value !== null && !Array.isArray(value) ? value.consumerIdList : [];
    return Array.isArray(list) ? list.map(String) : [];
  }

  async #take(queue: MessageQueue): Promise<void> {
    const { clock, timers } = this.#client.ports;
    const askedMs = clock.monotonicMs();
    if (this.#needsLocks && (await this.#locks.lock([queue])).get(queueKey(queue)) !== true) {
      void this.#lifetime.sleep(lockRetryDelayMs).then(() => {
        if (!this.#lifetime.ended) this.onConsumersChanged();
      });
      return;
    }
    const startOffset = await this.#startOffset(queue);
    if (this.#lifetime.ended) {
      if (this.#needsLocks) await this.#locks.unlock([queue]);
      return;
    }
    const assigned = new AssignedQueue(queue, startOffset, new Lifetime(timers), clock);
    if (this.#needsLocks) assigned.locked(askedMs);
    this.#assigned.set(queueKey(queue), assigned);
    this.#client.ports.log.info(
      'client.queue-assigned',
      { group: this.group, queue: queueKey(queue), startOffset },
      `Consuming ${queueKey(queue)} from offset ${startOffset}`,
    );
    const subscription = this.#subscriptions.get(queue.topic);
    if (subscription === undefined) throw new ClientError('invalid', `${queue.topic} is not subscribed to`);
    const options = {
      client: this.#client,
      group: this.group,
      assigned,
      subscription,
      offsets: this.#offsets,
      commits: !this.#options.broadcast,
      ordered: this.#needsLocks,
      onMessages: this.#consumption.onMessages.bind(this.#consumption),
    };
    void readQueue(options, startOffset);
  }

  /** The queue falls to another consumer, which begins at the offset stored here. */
  async #release(assigned: AssignedQueue): Promise<void> {
    assigned.lifetime.end();
    // In order: the other one must not begin while a listener runs here.
    if (this.#needsLocks) await this.#waitFor(this.#consumption.idle(assigned), releaseTimeoutMs);
    await this.#offsets.persist([assigned.queue]);
    this.#offsets.forget(assigned.queue);
    if (this.#needsLocks) await this.#locks.unlock([assigned.queue]);
    this.#assigned.delete(queueKey(assigned.queue));
    this.#client.ports.log.info(
      'client.queue-released',
      { group: this.group, queue: queueKey(assigned.queue) },
      `${queueKey(assigned.queue)} is another consumer's now`,
    );
  }

  async #startOffset(queue: MessageQueue): Promise<number> {
    const stored = await this.#offsets.load(queue);
    if (stored !== undefined) return stored;
    const { from = 'last' } = this.#options;
    // An offset below the first message is corrected by the broker.
    if (from === 'first' || isRetryTopic(queue.topic)) return 0;
    if (from === 'last') return maxOffset(this.#client, queue);
    return offsetByTime(this.#client, queue, from.timestampMs);
  }

  async #renewLocks(): Promise<void> {
    const askedMs = this.#client.ports.clock.monotonicMs();
    const queues = [...this.#assigned.values()];
    const locked = await this.#locks.lock(queues.map(({ queue }) => queue));
    for (const assigned of queues) {
      const isLocked = locked.get(queueKey(assigned.queue));
      if (isLocked === true) assigned.locked(askedMs);
      // No answer: the lock is good until it is too old.
      if (isLocked === false) assigned.unlocked();
    }
  }

  async #waitFor(idle: Promise<void>, timeoutMs: number): Promise<void> {
    const waiting = new Lifetime(this.#client.ports.timers);
    await Promise.race([idle, waiting.sleep(timeoutMs)]);
    waiting.end();
  }
}
