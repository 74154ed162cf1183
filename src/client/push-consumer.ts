import { isRetryTopic, retryTopicOf } from '../message/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import { type Allocation, allocate } from './allocate.ts';
import { AssignedQueue } from './assigned-queue.ts';
import type { Client, Member } from './client.ts';
import { ClientError } from './client-error.ts';
import { ConcurrentConsumption } from './concurrent-consumption.ts';
import type { Consumption, Listener } from './consumption.ts';
import { groupMembers } from './group-members.ts';
import type { ConsumerData, Subscription } from './heartbeat.ts';
import { Lifetime } from './lifetime.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import { BrokerOffsets, LocalOffsets, type OffsetStore } from './offset-store.ts';
import { OrderedConsumption } from './ordered-consumption.ts';
import { QueueLocks } from './queue-locks.ts';
import { maxOffset, offsetByTime } from './queue-offsets.ts';
import { readQueue } from './queue-reader.ts';
import { subscribeQueues } from './route.ts';
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

  /** Does nothing before `start`. */
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
  }

  /**
   * Joins the group; resolves when the first queues are assigned. Throws ClientError when no name server answers, and
   * may then be called again.
   */
  async start(): Promise<void> {
    if (this.#lifetime.ended) throw new ClientError('stopped', `the consumer of group ${this.group} was stopped`);
    for (const topic of this.#subscriptions.keys()) await this.#client.routes.route(topic);
    this.#client.join(this);
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
      : allocate(
          this.#options.allocation ?? 'averagely',
          all,
          await groupMembers(this.#client, this.group, route),
          this.#client.id,
        );
    const wanted = new Map(mine.map((queue) => [queueKey(queue), queue]));
    const lost = [...this.#assigned.values()].filter(
      ({ queue }) => queue.topic === topic && !wanted.has(queueKey(queue)),
    );
    if (lost.length > 0) await this.#release(lost);
    const missing = [...wanted.values()].filter((queue) => !this.#assigned.has(queueKey(queue)));
    // Brokers at once, each broker's queues in turn: one that does not answer must not hold up the others.
    const byBroker = Map.groupBy(missing, ({ brokerName }) => brokerName);
    await Promise.all([...byBroker.values()].map((queues) => this.#takeAll(queues)));
  }

  /** Queues of one broker. When one fails, the others of that broker would: they are tried again next time. */
  async #takeAll(queues: readonly MessageQueue[]): Promise<void> {
    for (const queue of queues) {
      if (this.#lifetime.ended) return;
      try {
        await this.#take(queue);
      } catch (error) {
        if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
        if (this.#lifetime.ended) return;
        this.#client.ports.log.warn(
          'client.queue-not-taken',
          { group: this.group, queue: queueKey(queue), error },
          `${queueKey(queue)} is not consumed yet: ${error.message}`,
        );
        return;
      }
    }
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

  /** The queues fall to other consumers, which begin at the offsets stored here. */
  async #release(lost: readonly AssignedQueue[]): Promise<void> {
    const queues = lost.map(({ queue }) => queue);
    for (const assigned of lost) assigned.lifetime.end();
    // In order: the others must not begin while a listener runs here.
    if (this.#needsLocks) {
      const idle = Promise.all(lost.map((assigned) => this.#consumption.idle(assigned)));
      await this.#waitFor(idle, releaseTimeoutMs);
    }
    await this.#offsets.persist(queues);
    if (this.#needsLocks) await this.#locks.unlock(queues);
    for (const queue of queues) {
      this.#offsets.forget(queue);
      this.#assigned.delete(queueKey(queue));
      this.#client.ports.log.info(
        'client.queue-released',
        { group: this.group, queue: queueKey(queue) },
        `${queueKey(queue)} is another consumer's now`,
      );
    }
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

  async #waitFor(idle: Promise<unknown>, timeoutMs: number): Promise<void> {
    const waiting = new Lifetime(this.#client.ports.timers);
    await Promise.race([idle, waiting.sleep(timeoutMs)]);
    waiting.end();
  }
}
