import { type JsonValue, parseLooseJson, writeLooseJson } from '../common/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';

const timeoutMs = 1000;

/** Locks that make a queue one consumer's alone, for consumption in order. They are kept by the queue's broker. */
export class QueueLocks {
  readonly #client: Client;
  readonly #group: string;

  constructor(client: Client, group: string) {
    this.#client = client;
    this.#group = group;
  }

  /**
   * Asks for locks, or renews them. By queue key: whether the queue is this client's now; brokers that do not answer
   * leave their queues out.
   */
  async lock(queues: readonly MessageQueue[]): Promise<Map<string, boolean>> {
    const locked = new Map<string, boolean>();
    const ofBrokers = [...byBroker(queues)].map(async ([brokerName, ofBroker]) => {
      const body = await this.#ask('lockBatchMq', brokerName, ofBroker);
      if (body === undefined) return;
      const granted = new Set(queuesIn(body).map(queueKey));
      for (const queue of ofBroker) locked.set(queueKey(queue), granted.has(queueKey(queue)));
    });
    await Promise.all(ofBrokers);
    return locked;
  }

  /** Gives locks back, as well as may be: they also expire. */
  async unlock(queues: readonly MessageQueue[]): Promise<void> {
    await Promise.all(
      [...byBroker(queues)].map(([brokerName, ofBroker]) => this.#ask('unlockBatchMq', brokerName, ofBroker)),
    );
  }

  /** Undefined when the broker does not answer or refuses. */
  async #ask(
    name: 'lockBatchMq' | 'unlockBatchMq',
    brokerName: string,
    queues: readonly MessageQueue[],
  ): Promise<Uint8Array | undefined> {
    const request = { consumerGroup: this.#group, clientId: this.#client.id, onlyThisBroker: false, mqSet: queues };
    try {
      const body = Buffer.from(writeLooseJson(request));
      const response = await this.#client.call(this.#client.masterOf(brokerName), name, {}, { body, timeoutMs });
      return response.body;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
      const group = this.#group;
      this.#client.ports.log.warn('client.lock-failed', { group, brokerName, error }, `${name}: ${error.message}`);
      return undefined;
    }
  }
}

function byBroker(queues: readonly MessageQueue[]): Map<string, MessageQueue[]> {
  return Map.groupBy(queues, (queue) => queue.brokerName);
}

function queuesIn(body: Uint8Array): MessageQueue[] {
  let value: JsonValue;
  try {
    value = parseLooseJson(Buffer.from(body).toString('utf8'));
  } catch {
    // An answer that cannot be read grants nothing.
    return [];
  }
  const set = typeof value === 'object' && value !== null && !Array.isArray(value) ? value.lockOKMQSet : undefined;
  return (Array.isArray(set) ? set : []).flatMap((item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? [{ topic: String(item.topic), brokerName: String(item.brokerName), queueId: Number(item.queueId) }]
      : [],
  );
}
