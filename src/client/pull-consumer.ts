import type { Client, Member } from './client.ts';
import { ClientError } from './client-error.ts';
import type { ConsumerData, Subscription } from './heartbeat.ts';
import type { MessageQueue } from './message-queue.ts';
import { type PullResult, pull } from './pull.ts';
import { subscribeTo } from './subscription.ts';

export interface PullConsumerOptions {
  group: string;
  /** Topic → tag expression, `*` for all. */
  subscriptions: Readonly<Record<string, string>>;
}

export interface PullOptions {
  /** Default 32. */
  maxMessages?: number;
  /** How long the broker may wait for a message; default 0. */
  suspendMs?: number;
  /** LITE_PULL_MESSAGE instead of PULL_MESSAGE. */
  lite?: boolean;
}

const maxMessagesDefault = 32;

/** Reads queues where its user tells it to. Offsets and choice of queues are the user's (see queue-offsets.ts). */
export class PullConsumer implements Member {
  readonly group: string;
  readonly #client: Client;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;

  constructor(client: Client, options: PullConsumerOptions) {
    this.group = options.group;
    this.#client = client;
    const nowMs = client.ports.clock.wallMs();
    this.#subscriptions = new Map(
      Object.entries(options.subscriptions).map(([topic, expression]) => [
        topic,
        subscribeTo(topic, expression, nowMs),
      ]),
    );
    client.join(this);
  }

  /** The readable queues of a topic. Throws ClientError 'no route'. */
  async queues(topic: string): Promise<readonly MessageQueue[]> {
    const route = await this.#client.routes.route(topic);
    if (route === undefined) throw new ClientError('no route', `no name server knows the topic ${topic}`);
    return route.subscribeQueues;
  }

  /** Throws ClientError and RemotingError. */
  async pull(queue: MessageQueue, offset: number, options: PullOptions = {}): Promise<PullResult> {
    const subscription = this.#subscriptions.get(queue.topic);
    if (subscription === undefined) throw new ClientError('invalid', `${queue.topic} is not subscribed to`);
    return pull(this.#client, this.#client.masterOf(queue.brokerName), {
      group: this.group,
      queue,
      offset,
      maxMessages: options.maxMessages ?? maxMessagesDefault,
      suspendMs: options.suspendMs ?? 0,
      subscription,
      sendSubscription: true,
      commitOffset: undefined,
      lite: options.lite ?? false,
    });
  }

  async stop(): Promise<void> {
    await this.#client.leave(this);
  }

  onConsumersChanged(): void {}

  consumerData(): ConsumerData {
    return {
      groupName: this.group,
      consumeType: 'CONSUME_ACTIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
      subscriptionDataSet: [...this.#subscriptions.values()],
      unitMode: false,
    };
  }
}
