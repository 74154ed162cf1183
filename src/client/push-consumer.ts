import { retryTopicOf } from '../message/mod.ts';
import type { Allocation } from './allocate.ts';
import type { Client, Member } from './client.ts';
import { ClientError } from './client-error.ts';
import { ConcurrentConsumption } from './concurrent-consumption.ts';
import type { Consumption, Listener } from './consumption.ts';
import type { ConsumerData, Subscription } from './heartbeat.ts';
import { Lifetime } from './lifetime.ts';
import type { MessageQueue } from './message-queue.ts';
import { BrokerOffsets, LocalOffsets, type OffsetStore } from './offset-store.ts';
import { OrderedConsumption } from './ordered-consumption.ts';
import { QueueAssignment, type StartFrom } from './queue-assignment.ts';
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
  /** Where a group begins that never consumed a queue. Default 'last'. */
  from?: StartFrom;
  /** Listeners that run at once; default 20. */
  concurrency?: number;
  /** Messages for one call of the listener; default 1. */
  batchSizeMax?: number;
  /** Deliveries after the first before a message becomes a dead letter; default 16, without bound when ordered. */
  maxReconsumeTimes?: number;
  /** Default 'averagely'. */
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

/**
 * Consumes its topics, sharing their queues with the other consumers of the group. Every message comes at least once:
 * after a failure, and when queues change hands, some come again.
 */
export class PushConsumer implements Member {
  readonly group: string;
  readonly #client: Client;
  readonly #options: PushConsumerOptions;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  readonly #offsets: OffsetStore;
  readonly #assignment: QueueAssignment;
  readonly #lifetime: Lifetime;

  /** Does nothing before `start`. Throws ClientError for an expression without a tag. */
  constructor(client: Client, options: PushConsumerOptions) {
    const { group, broadcast = false, from = 'last', allocation = 'averagely' } = options;
    this.group = group;
    this.#client = client;
    this.#options = options;
    const nowMs = client.ports.clock.wallMs();
    const expressions = new Map(Object.entries(options.subscriptions));
    if (!broadcast) expressions.set(retryTopicOf(group), '*');
    this.#subscriptions = new Map(
      [...expressions].map(([topic, expression]) => [topic, subscribeTo(topic, expression, nowMs)]),
    );
    this.#offsets = broadcast ? new LocalOffsets() : new BrokerOffsets(client, group);
    this.#assignment = new QueueAssignment({
      client,
      group,
      subscriptions: this.#subscriptions,
      offsets: this.#offsets,
      consumption: this.#makeConsumption(),
      locked: this.#needsLocks,
      broadcast,
      from,
      allocation,
    });
    this.#lifetime = new Lifetime(client.ports.timers);
  }

  /**
   * Joins the group; resolves when the first queues are assigned. Throws ClientError when no name server answers, and
   * may then be called again, and when it is stopped meanwhile.
   */
  async start(): Promise<void> {
    this.#refuseWhenStopped();
    for (const topic of this.#subscriptions.keys()) await this.#client.routes.route(topic);
    // Stopped meanwhile: as a member for ever it would be dealt queues that nobody reads.
    this.#refuseWhenStopped();
    this.#client.join(this);
    await this.#client.heartbeat();
    this.#lifetime.every(rebalancePeriodMs, () => this.onConsumersChanged());
    this.#lifetime.every(persistPeriodMs, () => void this.#offsets.persist(this.assignment()));
    if (this.#needsLocks) this.#lifetime.every(lockPeriodMs, () => void this.#assignment.renewLocks());
    await this.#assignment.rebalance();
  }

  /** Stops pulling, waits for the listeners that run, stores the offsets and leaves the group. */
  async stop(): Promise<void> {
    if (this.#lifetime.ended) return;
    this.#lifetime.end();
    await this.#assignment.end(this.#options.stopTimeoutMs ?? stopTimeoutDefaultMs);
    await this.#client.leave(this);
  }

  /** The queues that are this consumer's now. */
  assignment(): MessageQueue[] {
    return this.#assignment.queues();
  }

  consumerData(): ConsumerData {
    return {
      groupName: this.group,
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: this.#options.broadcast ? 'BROADCASTING' : 'CLUSTERING',
      consumeFromWhere: consumeFromWhere(this.#options.from ?? 'last'),
      subscriptionDataSet: [...this.#subscriptions.values()],
      unitMode: false,
    };
  }

  onConsumersChanged(): void {
    void this.#assignment.rebalance();
  }

  #refuseWhenStopped(): void {
    if (this.#lifetime.ended) throw new ClientError('stopped', `the consumer of group ${this.group} was stopped`);
  }

  /** A broadcast consumer shares its queues with nobody. */
  get #needsLocks(): boolean {
    return this.#options.ordered === true && this.#options.broadcast !== true;
  }

  #makeConsumption(): Consumption {
    const { group, listener, ordered = false, broadcast = false } = this.#options;
    const maxReconsumeTimes = ordered ? Number.POSITIVE_INFINITY : maxReconsumeTimesDefault;
    const options = {
      client: this.#client,
      group,
      listener,
      offsets: this.#offsets,
      concurrency: this.#options.concurrency ?? concurrencyDefault,
      batchSizeMax: this.#options.batchSizeMax ?? 1,
      maxReconsumeTimes: this.#options.maxReconsumeTimes ?? maxReconsumeTimes,
      broadcast,
    };
    return ordered ? new OrderedConsumption(options) : new ConcurrentConsumption(options);
  }
}

function consumeFromWhere(from: StartFrom): ConsumerData['consumeFromWhere'] {
  if (typeof from === 'object') return 'CONSUME_FROM_TIMESTAMP';
  return from === 'first' ? 'CONSUME_FROM_FIRST_OFFSET' : 'CONSUME_FROM_LAST_OFFSET';
}
