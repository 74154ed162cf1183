/** Consumers as models: they note what they get, take their time, and ask for some messages again. */
import {
  Client,
  ClientError,
  commitOffset,
  committedOffset,
  type MessageQueue,
  PullConsumer,
  PushConsumer,
  type ReceivedMessage,
} from '../client/mod.ts';
import { isRetryTopic } from '../message/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import { ProcessEnded, type SimNode } from './sim-node.ts';
import type { SimRandom } from './sim-random.ts';
import { placeOf, retryMs, type WorkloadParts } from './workload.ts';

export type ConsumerKind = 'concurrent' | 'ordered' | 'broadcast' | 'pull';

/** Whether the group gets each queue's messages in order, leaving none out. */
const inOrder: ReadonlySet<ConsumerKind> = new Set(['ordered', 'pull']);
const pullPauseMs = [10, 2000] as const;
const pullSuspendMs = 5000;
const startingDelayMs = 500;

/** A member of a consumer group, on a machine of its own. */
export class ConsumerModel {
  readonly node: SimNode;
  readonly #parts: WorkloadParts;
  readonly #group: string;
  readonly #kind: ConsumerKind;
  readonly #random: SimRandom;
  #client: Client | undefined;
  #starting: Promise<void> | undefined;

  constructor(parts: WorkloadParts, node: SimNode, group: string, kind: ConsumerKind) {
    this.node = node;
    this.#parts = parts;
    this.#group = group;
    this.#kind = kind;
    this.#random = parts.random.fork(`consumer ${node.name}`);
  }

  /** Resolves when it consumes; tries again while name servers are away. */
  start(): Promise<void> {
    this.#starting ??= this.#startUntilUp().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async stop(): Promise<void> {
    await this.#client?.close();
  }

  kill(): void {
    this.#client = undefined;
    this.node.kill();
  }

  async #startUntilUp(): Promise<void> {
    for (;;) {
      const env = this.node.restart();
      const client = new Client(env, { nameServers: this.#parts.nameServers });
      try {
        await this.node.whileAlive(this.#kind === 'pull' ? this.#startPulling(client) : this.#startPushing(client));
        this.#client = client;
        return;
      } catch (error) {
        if (!isExpected(error)) throw error;
        await this.#parts.world.sleep(this.#random.between(retryMs));
      }
    }
  }

  #startPushing(client: Client): Promise<void> {
    const kind = this.#kind;
    const consumer = new PushConsumer(client, {
      group: this.#group,
      subscriptions: { [this.#parts.topic]: '*' },
      ordered: kind === 'ordered',
      broadcast: kind === 'broadcast',
      from: 'first',
      batchSizeMax: kind === 'ordered' ? 1 : 4,
      listener: (messages) => this.#consume(messages),
    });
    return consumer.start();
  }

  async #consume(messages: readonly ReceivedMessage[]): Promise<'success' | 'later'> {
    for (const message of messages) this.#note(message);
    if (this.#random.chance(0.3)) await this.#parts.world.sleep(this.#random.below(30));
    // What a broadcast consumer refuses is dropped, as in RocketMQ.
    return this.#kind !== 'broadcast' && this.#random.chance(0.02) ? 'later' : 'success';
  }

  #note(message: ReceivedMessage): void {
    const { history, world } = this.#parts;
    try {
      history.delivered({
        group: this.#group,
        ordered: inOrder.has(this.#kind),
        queue: isRetryTopic(message.queue.topic) ? undefined : placeOf(message.queue),
        queueOffset: message.queueOffset,
        body: Buffer.from(message.body).toString('utf8'),
      });
    } catch (error) {
      // A client takes what its listener throws for a message that is to come again.
      world.fail(error);
    }
  }

  /** A loop per queue; new queues are looked for now and then. */
  async #startPulling(client: Client): Promise<void> {
    const { topic } = this.#parts;
    const consumer = new PullConsumer(client, { group: this.#group, subscriptions: { [topic]: '*' } });
    const mine = this.node.process;
    const known = new Set<string>();
    const join = async () => {
      for (const queue of await consumer.queues(topic)) {
        if (known.has(placeOf(queue))) continue;
        known.add(placeOf(queue));
        void this.#pullQueue(client, consumer, queue, () => mine.alive && this.#client === client);
      }
    };
    await join();
    void this.#repeat(join, () => mine.alive);
  }

  async #repeat(act: () => Promise<void>, goesOn: () => boolean): Promise<void> {
    await this.#parts.world.sleep(startingDelayMs);
    while (goesOn()) {
      await act().catch(ignoreExpected);
      await this.#parts.world.sleep(20_000);
    }
  }

  async #pullQueue(client: Client, consumer: PullConsumer, queue: MessageQueue, goesOn: () => boolean): Promise<void> {
    const { world } = this.#parts;
    await world.sleep(startingDelayMs);
    let offset: number | undefined;
    while (goesOn()) {
      try {
        offset ??= (await committedOffset(client, this.#group, queue)) ?? 0;
        const result = await consumer.pull(queue, offset, { maxMessages: 8, suspendMs: pullSuspendMs });
        for (const message of result.messages) this.#note(message);
        offset = result.nextOffset;
        if (result.messages.length > 0) await commitOffset(client, this.#group, queue, offset);
        if (result.messages.length < 8) await world.sleep(this.#random.between(pullPauseMs));
      } catch (error) {
        ignoreExpected(error);
        offset = undefined;
        await world.sleep(this.#random.between(pullPauseMs));
      }
    }
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof ProcessEnded || error instanceof ClientError || error instanceof RemotingError;
}

function ignoreExpected(error: unknown): void {
  if (!isExpected(error)) throw error;
}
