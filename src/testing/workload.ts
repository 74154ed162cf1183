/** Producers as models: each sends messages of its own, and notes what it was told. */
import { Client, ClientError, type MessageQueue, Producer } from '../client/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import type { History } from './history.ts';
import type { Pace } from './pace.ts';
import { ProcessEnded, type SimNode } from './sim-node.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimWorld } from './sim-world.ts';

export interface WorkloadParts {
  world: SimWorld;
  random: SimRandom;
  nameServers: readonly string[];
  history: History;
  topic: string;
  brokerNames: readonly string[];
  queueCount: number;
  pace: Pace;
  /** Size of a body, from and to. */
  bodyBytes: readonly [number, number];
}

/** Of a client whose call failed or whose process was killed. */
export const retryMs = [50, 300] as const;
const batchSize = [2, 5] as const;

export const placeOf = ({ brokerName, queueId }: MessageQueue) => `${brokerName}/${queueId}`;

/** Sends one message after the other until it is told to stop; each body begins with an id that no other has. */
export class ProducerModel {
  readonly node: SimNode;
  readonly #parts: WorkloadParts;
  readonly #random: SimRandom;
  #stopping = false;
  #sequence = 0;
  #done: Promise<void> | undefined;
  /** When each broker last acknowledged a message that was sent after `sentMs`. */
  readonly lastAcknowledged = new Map<string, { sentMs: number; atMs: number }>();

  constructor(parts: WorkloadParts, node: SimNode) {
    this.node = node;
    this.#parts = parts;
    this.#random = parts.random.fork(`producer ${node.name}`);
  }

  start(): void {
    this.#done = this.#runUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #runUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      const env = this.node.restart();
      const client = new Client(env, { nameServers: this.#parts.nameServers });
      const producer = new Producer(client, { group: 'producers' });
      try {
        await this.node.whileAlive(this.#sendUntilStopped(producer));
        await client.close();
      } catch (error) {
        if (!(error instanceof ProcessEnded)) throw error;
        await this.#parts.world.sleep(this.#random.between(retryMs));
      }
    }
  }

  async #sendUntilStopped(producer: Producer): Promise<void> {
    const mine = this.node.process;
    while (!this.#stopping && mine.alive) {
      if (await this.#sendOne(producer)) await this.#parts.pace.pause(this.#random);
      else await this.#parts.world.sleep(this.#random.between(retryMs));
    }
  }

  /** Whether the broker answered that it has it. */
  async #sendOne(producer: Producer): Promise<boolean> {
    const { world, history, topic } = this.#parts;
    // Where the producer chooses, it tries another queue after a failure, and a message may be stored twice.
    const queue = this.#random.chance(0.7) ? this.#chooseQueue() : undefined;
    const count = this.#random.chance(0.1) ? this.#random.between(batchSize) : 1;
    const messages = Array.from({ length: count }, () => this.#newMessage());
    const outgoing = messages.map(({ id, body, tag }) => ({
      topic,
      body: Buffer.from(body),
      tag,
      keys: [id, `${tag}-keyed`],
    }));
    const sentMs = world.nowMs;
    for (const { id, body } of messages) history.sending(id, body, sentMs);
    try {
      const target = queue === undefined ? {} : { queue };
      const [first] = outgoing;
      const result =
        count === 1 && first !== undefined
          ? await producer.send(first, target)
          : await producer.sendBatch(outgoing, target);
      // The other statuses say that the message may still be lost.
      if (result.status === 'SEND_OK') {
        for (const [index, { id }] of messages.entries()) {
          history.acknowledged(id, this.node.name, placeOf(result.queue), result.queueOffset + index, world.nowMs);
        }
        this.lastAcknowledged.set(result.queue.brokerName, { sentMs, atMs: world.nowMs });
      }
      return true;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
      history.failedCount += 1;
      return false;
    }
  }

  #newMessage(): { id: string; body: string; tag: string } {
    this.#sequence += 1;
    const id = `${this.node.name}-${this.#sequence}`;
    const size = this.#random.between(this.#parts.bodyBytes);
    return { id, body: `${id} `.padEnd(size, 'abcdefghij'), tag: this.#random.pick(['A', 'B', 'C']) };
  }

  #chooseQueue(): MessageQueue {
    const { topic, brokerNames, queueCount } = this.#parts;
    const brokerName = brokerNames[this.#random.below(brokerNames.length)] ?? '';
    return { topic, brokerName, queueId: this.#random.below(queueCount) };
  }
}
