import { isRetryTopic } from '../message/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import { type Allocation, allocate } from './allocate.ts';
import { AssignedQueue } from './assigned-queue.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import type { Consumption } from './consumption.ts';
import { groupMembers } from './group-members.ts';
import type { Subscription } from './heartbeat.ts';
import { Lifetime } from './lifetime.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import type { OffsetStore } from './offset-store.ts';
import { QueueLocks } from './queue-locks.ts';
import { maxOffset, offsetByTime } from './queue-offsets.ts';
import { readQueue } from './queue-reader.ts';

/** Where a group begins that never consumed a queue. */
export type StartFrom = 'first' | 'last' | { timestampMs: number };

interface QueueAssignmentOptions {
  client: Client;
  group: string;
  subscriptions: ReadonlyMap<string, Subscription>;
  offsets: OffsetStore;
  consumption: Consumption;
  /** A queue is consumed under its lock. */
  locked: boolean;
  broadcast: boolean;
  from: StartFrom;
  allocation: Allocation;
}

/** Another consumer still holds a lock: it will give it back soon. */
const lockRetryDelayMs = 500;
/** A listener that runs for longer does not keep its queue's lock from the next consumer. */
const releaseTimeoutMs = 20_000;

/**
 * Which queues are this consumer's. Nobody deals them out: each consumer of a group computes its share from the same
 * lists of queues and members, whenever one of them changes (RocketMQ: RebalanceImpl).
 */
export class QueueAssignment {
  readonly #options: QueueAssignmentOptions;
  readonly #client: Client;
  readonly #locks: QueueLocks;
  readonly #lifetime: Lifetime;
  readonly #assigned = new Map<string, AssignedQueue>();
  #rebalancing: Promise<void> | undefined;
  #rebalanceAgain = false;
  #rebalancePlanned = false;

  constructor(options: QueueAssignmentOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#locks = new QueueLocks(options.client, options.group);
    this.#lifetime = new Lifetime(options.client.ports.timers);
  }

  queues(): MessageQueue[] {
    return [...this.#assigned.values()].map(({ queue }) => queue);
  }

  /** One at a time; what asks for it meanwhile makes it run once more. */
  rebalance(): Promise<void> {
    if (this.#rebalancing !== undefined) {
      this.#rebalanceAgain = true;
      return this.#rebalancing;
    }
    this.#rebalancing = this.#rebalanceUntilQuiet().finally(() => {
      this.#rebalancing = undefined;
    });
    return this.#rebalancing;
  }

  async renewLocks(): Promise<void> {
    const askedMs = this.#client.ports.clock.monotonicMs();
    const locked = await this.#locks.lock(this.queues());
    for (const assigned of this.#assigned.values()) {
      const isLocked = locked.get(queueKey(assigned.queue));
      if (isLocked === true) assigned.locked(askedMs);
      // No answer: the lock is good until it is too old.
      if (isLocked === false) assigned.unlocked();
    }
  }

  /** Stops pulling and gives all queues back, waiting at most `timeoutMs` for listeners that run. */
  async end(timeoutMs: number): Promise<void> {
    this.#lifetime.end();
    for (const assigned of this.#assigned.values()) assigned.lifetime.end();
    await this.#rebalancing;
    await this.#within(timeoutMs, this.#options.consumption.idle());
    await this.#giveBack(this.queues());
  }

  async #rebalanceUntilQuiet(): Promise<void> {
    do {
      this.#rebalanceAgain = false;
      for (const topic of this.#options.subscriptions.keys()) {
        if (this.#lifetime.ended) return;
        try {
          await this.#rebalanceTopic(topic);
        } catch (error) {
          this.#warn('client.rebalance-failed', { topic, error }, `The queues of ${topic} stay as they were`);
        }
      }
    } while (this.#rebalanceAgain);
  }

  async #rebalanceTopic(topic: string): Promise<void> {
    const { group, broadcast, allocation } = this.#options;
    const route = await this.#client.routes.route(topic);
    if (route === undefined) {
      // The retry topic comes with the first heartbeat that a broker registers.
      if (isRetryTopic(topic)) return;
      throw new ClientError('no route', `no name server knows the topic ${topic}`);
    }
    const all = route.subscribeQueues;
    const mine = broadcast
      ? all
      : allocate(allocation, all, await groupMembers(this.#client, group, route), this.#client.id);
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
        const key = queueKey(queue);
        this.#warn('client.queue-not-taken', { queue: key, error }, `${key} is not consumed yet`);
        return;
      }
    }
  }

  async #take(queue: MessageQueue): Promise<void> {
    const { client, group, subscriptions, offsets, consumption, locked, broadcast } = this.#options;
    const { clock, timers, log } = client.ports;
    const askedMs = clock.monotonicMs();
    if (locked && (await this.#locks.lock([queue])).get(queueKey(queue)) !== true) {
      this.#rebalanceSoon();
      return;
    }
    const startOffset = await this.#startOffset(queue);
    if (this.#lifetime.ended) {
      await this.#giveBack([queue]);
      return;
    }
    const subscription = subscriptions.get(queue.topic);
    if (subscription === undefined) throw new ClientError('invalid', `${queue.topic} is not subscribed to`);
    const assigned = new AssignedQueue(queue, startOffset, new Lifetime(timers), clock);
    if (locked) assigned.locked(askedMs);
    this.#assigned.set(queueKey(queue), assigned);
    log.info(
      'client.queue-assigned',
      { group, queue: queueKey(queue), startOffset },
      `Consuming ${queueKey(queue)} from offset ${startOffset}`,
    );
    const onMessages = consumption.onMessages.bind(consumption);
    const reading = { client, group, assigned, subscription, offsets, commits: !broadcast, locked, onMessages };
    void readQueue(reading, startOffset);
  }

  /** Once for all queues that wait for a lock: the next attempt asks for each of them again. */
  #rebalanceSoon(): void {
    if (this.#rebalancePlanned) return;
    this.#rebalancePlanned = true;
    void this.#lifetime.sleep(lockRetryDelayMs).then(() => {
      this.#rebalancePlanned = false;
      if (!this.#lifetime.ended) void this.rebalance();
    });
  }

  /** The queues fall to other consumers, which begin at the offsets stored here. */
  async #release(lost: readonly AssignedQueue[]): Promise<void> {
    const { consumption, locked, group } = this.#options;
    for (const assigned of lost) assigned.lifetime.end();
    // In order: the others must not begin while a listener runs here.
    if (locked) {
      const idle = Promise.all(lost.map((assigned) => consumption.idle(assigned)));
      await this.#within(releaseTimeoutMs, idle);
    }
    await this.#giveBack(lost.map(({ queue }) => queue));
    for (const { queue } of lost) {
      const key = queueKey(queue);
      this.#client.ports.log.info('client.queue-released', { group, queue: key }, `${key} is another consumer's now`);
    }
  }

  async #giveBack(queues: readonly MessageQueue[]): Promise<void> {
    const { offsets, locked } = this.#options;
    await offsets.persist(queues);
    if (locked) await this.#locks.unlock(queues);
    for (const queue of queues) {
      offsets.forget(queue);
      this.#assigned.delete(queueKey(queue));
    }
  }

  async #startOffset(queue: MessageQueue): Promise<number> {
    const stored = await this.#options.offsets.load(queue);
    if (stored !== undefined) return stored;
    const { from } = this.#options;
    // An offset below the first message is corrected by the broker.
    if (from === 'first' || isRetryTopic(queue.topic)) return 0;
    if (from === 'last') return maxOffset(this.#client, queue);
    return offsetByTime(this.#client, queue, from.timestampMs);
  }

  async #within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
    const waiting = new Lifetime(this.#client.ports.timers);
    await Promise.race([work, waiting.sleep(timeoutMs)]);
    waiting.end();
  }

  /** For what the world may do to us; anything else is thrown on. */
  #warn(event: string, fields: { error: unknown; [key: string]: unknown }, message: string): void {
    const { error } = fields;
    if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
    if (this.#lifetime.ended) return;
    this.#client.ports.log.warn(event, { group: this.#options.group, ...fields }, `${message}: ${error.message}`);
  }
}
