/**
 * An administrator as a model: creates and deletes a topic that others use for a moment, gives the main topic more
 * queues, sets offsets of groups back, and asks for messages by their keys.
 */
import {
  Client,
  ClientError,
  commitOffset,
  committedOffset,
  createTopic,
  Producer,
  PullConsumer,
} from '../client/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import type { Cluster } from './cluster.ts';
import { Violation } from './history.ts';
import { ProcessEnded, type SimNode } from './sim-node.ts';
import type { SimRandom } from './sim-random.ts';
import { retryMs, type WorkloadParts } from './workload.ts';

export const passingTopic = 'passing';
const pauseMs = [500, 15_000] as const;
/** The main topic gets no more than so many new queues. */
export const addedQueueCountMax = 2;

export class AdminModel {
  readonly node: SimNode;
  readonly #parts: WorkloadParts;
  readonly #cluster: Cluster;
  readonly #groups: readonly string[];
  readonly #random: SimRandom;
  /** Of the passing topic: every body that was ever sent. */
  readonly #sent = new Set<string>();
  #addedQueueCount = 0;
  #stopping = false;
  #done: Promise<void> | undefined;
  doneCount = 0;

  constructor(parts: WorkloadParts, node: SimNode, cluster: Cluster, groups: readonly string[]) {
    this.node = node;
    this.#parts = parts;
    this.#cluster = cluster;
    this.#groups = groups;
    this.#random = parts.random.fork('admin');
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    const { world, nameServers } = this.#parts;
    const client = new Client(this.node.restart(), { nameServers });
    const acts = [this.#passingTopic, this.#moreQueues, this.#setBack, this.#search];
    while (!this.#stopping) {
      try {
        await this.#random.pick([acts[0] ?? this.#search, ...acts]).call(this, client);
        this.doneCount += 1;
        await this.#pause();
      } catch (error) {
        if (!(error instanceof ClientError || error instanceof RemotingError || error instanceof ProcessEnded))
          throw error;
        await world.sleep(this.#random.between(retryMs));
      }
    }
    await client.close();
  }

  /** In short steps, so that a stop need not wait. */
  async #pause(): Promise<void> {
    const endMs = this.#parts.world.nowMs + this.#random.between(pauseMs);
    while (!this.#stopping && this.#parts.world.nowMs < endMs) await this.#parts.world.sleep(1000);
  }

  /** A topic comes, is used, and goes; what is read of it was sent to it. */
  async #passingTopic(client: Client): Promise<void> {
    const { random, brokerName, address } = this.#broker();
    await createTopic(client, address, { topic: passingTopic, queueCount: 2 });
    const producer = new Producer(client, { group: 'admin' });
    const consumer = new PullConsumer(client, { group: 'admin', subscriptions: { [passingTopic]: '*' } });
    const queue = { topic: passingTopic, brokerName, queueId: random.below(2) };
    try {
      for (let count = random.below(4); count >= 0; count--) {
        const body = `passing ${this.#sent.size}`;
        this.#sent.add(body);
        await producer.send({ topic: passingTopic, body: Buffer.from(body) }, { queue });
      }
      const { messages } = await consumer.pull(queue, 0);
      for (const { body } of messages) {
        const text = Buffer.from(body).toString('utf8');
        if (!this.#sent.has(text)) throw new Violation(`${passingTopic} has a message that nobody sent: ${text}`);
      }
    } finally {
      await Promise.all([producer.stop(), consumer.stop()]);
    }
    if (random.chance(0.7)) await client.call(address, 'deleteTopicInBroker', { topic: passingTopic });
  }

  async #moreQueues(client: Client): Promise<void> {
    if (this.#addedQueueCount >= addedQueueCountMax) return;
    this.#addedQueueCount += 1;
    const { topic, queueCount } = this.#parts;
    await createTopic(client, this.#broker().address, { topic, queueCount: queueCount + this.#addedQueueCount });
  }

  async #setBack(client: Client): Promise<void> {
    const { topic, queueCount } = this.#parts;
    const { random, brokerName } = this.#broker();
    const queue = { topic, brokerName, queueId: random.below(queueCount) };
    const group = this.#groups[random.below(this.#groups.length)] ?? '';
    const offset = await committedOffset(client, group, queue);
    if (offset !== undefined && offset > 0)
      await commitOffset(client, group, queue, Math.max(0, offset - 1 - random.below(20)));
  }

  async #search(client: Client): Promise<void> {
    const { topic } = this.#parts;
    const key = this.#random.pick(['A-keyed', 'producer-0-1', 'nothing']);
    const range = { maxNum: 8, beginTimestamp: 0, endTimestamp: 2 ** 50 };
    await client.request(this.#broker().address, 'queryMessage', { topic, key, ...range });
  }

  #broker(): { random: SimRandom; brokerName: string; address: string } {
    const { brokers } = this.#cluster;
    const broker = brokers[this.#random.below(brokers.length)];
    const brokerName = broker?.node.name ?? '';
    return {
      random: this.#random,
      brokerName,
      address: broker === undefined ? '' : this.#cluster.brokerAddress(broker),
    };
  }
}
