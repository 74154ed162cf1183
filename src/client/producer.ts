import { javaHash } from '../common/mod.ts';
import { encodeBatch, limits } from '../message/mod.ts';
import { RemotingError, type RequestOf, ResponseCode, type Response as ResponseFor } from '../remoting/mod.ts';
import { type Client, type Member, refusal } from './client.ts';
import { ClientError } from './client-error.ts';
import type { MessageQueue } from './message-queue.ts';
import { type OutgoingMessage, propertiesOf } from './outgoing-message.ts';
import { QueueRotation, queueByHash } from './queue-rotation.ts';
import { newTopicQueueCount } from './route-cache.ts';

export interface ProducerOptions {
  group: string;
  /** For a send with all its attempts; default 3,000. */
  timeoutMs?: number;
  /** Attempts after the first one, at other brokers; default 2. */
  retryCount?: number;
  /** Sends under way at once; over it they are refused with 'busy'. Default 10,000. */
  inFlightMax?: number;
}

/** Where a message goes: in turn (default), always the same queue for a key, or a given queue. The last two are not retried. */
export interface SendTarget {
  hashKey?: string;
  queue?: MessageQueue;
}

/** All four mean that the broker has the message; the last three, that it is not yet as safe as it was asked to be. */
export type SendStatus = 'SEND_OK' | 'FLUSH_DISK_TIMEOUT' | 'FLUSH_SLAVE_TIMEOUT' | 'SLAVE_NOT_AVAILABLE';

export interface SendResult {
  status: SendStatus;
  /** The unique key; of a batch, those of its messages, joined by commas. */
  messageId: string;
  /** The broker's id; of a batch likewise. */
  offsetMessageId: string;
  queue: MessageQueue;
  /** Of a batch: of its first message. */
  queueOffset: number;
  transactionId: string | undefined;
}

const timeoutDefaultMs = 3000;
const retryCountDefault = 2;
const inFlightMaxDefault = 10_000;

const statusByCode: ReadonlyMap<number, SendStatus> = new Map([
  [ResponseCode.SUCCESS, 'SEND_OK'],
  [ResponseCode.FLUSH_DISK_TIMEOUT, 'FLUSH_DISK_TIMEOUT'],
  [ResponseCode.FLUSH_SLAVE_TIMEOUT, 'FLUSH_SLAVE_TIMEOUT'],
  [ResponseCode.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE'],
]);

/** Another broker may do better (RocketMQ: DefaultMQProducer.retryResponseCodes). */
const retriedCodes: ReadonlySet<number> = new Set([
  ResponseCode.TOPIC_NOT_EXIST,
  ResponseCode.SERVICE_NOT_AVAILABLE,
  ResponseCode.SYSTEM_ERROR,
  ResponseCode.SYSTEM_BUSY,
  ResponseCode.NO_PERMISSION,
  ResponseCode.NO_BUYER_ID,
  ResponseCode.NOT_IN_CURRENT_UNIT,
  ResponseCode.GO_AWAY,
]);

/** A request as it goes out: everything but the queue. */
interface Outgoing {
  topic: string;
  uniqueKey: string;
  properties: string;
  flag: number;
  body: Uint8Array;
  batch: boolean;
}

/**
 * Sends messages. After an attempt whose outcome is unknown (timeout, broken connection) it tries again, so that a
 * message may be stored twice; consumers know it by its unique key.
 */
export class Producer implements Member {
  readonly group: string;
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly #retryCount: number;
  readonly #inFlightMax: number;
  readonly #rotation: QueueRotation;
  #inFlight = 0;
  #stopped = false;
  #greeted = false;

  constructor(client: Client, options: ProducerOptions) {
    this.group = options.group;
    this.#client = client;
    this.#timeoutMs = options.timeoutMs ?? timeoutDefaultMs;
    this.#retryCount = options.retryCount ?? retryCountDefault;
    this.#inFlightMax = options.inFlightMax ?? inFlightMaxDefault;
    this.#rotation = new QueueRotation(client.ports.random);
    client.join(this);
  }

  consumerData(): undefined {
    return undefined;
  }

  onConsumersChanged(): void {}

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client.leave(this);
  }

  /** Resolves when a broker has the message. Throws ClientError, or RemotingError when no attempt got an answer. */
  async send(message: OutgoingMessage, target: SendTarget = {}): Promise<SendResult> {
    return this.#counted(() => this.#send(this.#outgoing(message), target));
  }

  /** Several messages of one topic as one request: they get consecutive places in one queue, all or none. */
  async sendBatch(messages: readonly OutgoingMessage[], target: SendTarget = {}): Promise<SendResult> {
    return this.#counted(() => this.#send(this.#outgoingBatch(messages), target));
  }

  /** Resolves when the bytes are on their way; nothing tells whether they arrived. */
  async sendOneway(message: OutgoingMessage, target: SendTarget = {}): Promise<void> {
    await this.#counted(async () => {
      const outgoing = this.#outgoing(message);
      const queue = await this.#chooseQueue(outgoing.topic, target, undefined);
      const address = this.#client.masterOf(queue.brokerName);
      await this.#client.oneway(address, 'sendMessageV2', this.#header(outgoing, queue), outgoing.body);
    });
  }

  async #counted<T>(run: () => Promise<T>): Promise<T> {
    if (this.#stopped) throw new ClientError('stopped', `the producer of group ${this.group} was stopped`);
    if (this.#inFlight >= this.#inFlightMax) {
      throw new ClientError('busy', `${this.#inFlight} sends are under way, the limit is ${this.#inFlightMax}`);
    }
    this.#inFlight++;
    try {
      return await run();
    } finally {
      this.#inFlight--;
    }
  }

  #outgoing(message: OutgoingMessage): Outgoing {
    const uniqueKey = this.#client.uniqueKeys.next();
    const properties = propertiesOf(message, uniqueKey);
    return { topic: message.topic, uniqueKey, properties, flag: message.flag ?? 0, body: message.body, batch: false };
  }

  #outgoingBatch(messages: readonly OutgoingMessage[]): Outgoing {
    if (messages.length === 0) throw new ClientError('invalid', 'the batch is empty');
    const { topic } = messages[0];
    const uniqueKeys: string[] = [];
    const parts = messages.map((message) => {
      if (message.topic !== topic) throw new ClientError('invalid', 'the messages of a batch have one topic');
      if (message.delayLevel !== undefined) throw new ClientError('invalid', 'messages of a batch cannot be delayed');
      const uniqueKey = this.#client.uniqueKeys.next();
      uniqueKeys.push(uniqueKey);
      const properties = Buffer.from(propertiesOf(message, uniqueKey));
      return { flag: message.flag ?? 0, body: message.body, properties };
    });
    const body = encodeBatch(parts);
    if (body.length > limits.bodySizeMax) {
      throw new ClientError('invalid', `the batch has ${body.length} bytes, the limit is ${limits.bodySizeMax}`);
    }
    return { topic, uniqueKey: uniqueKeys.join(','), properties: '', flag: 0, body, batch: true };
  }

  async #send(outgoing: Outgoing, target: SendTarget): Promise<SendResult> {
    const { clock } = this.#client.ports;
    const endMs = clock.monotonicMs() + this.#timeoutMs;
    const attempts = target.queue !== undefined || target.hashKey !== undefined ? 1 : 1 + this.#retryCount;
    let failedBroker: string | undefined;
    let failure: unknown;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const queue = await this.#chooseQueue(outgoing.topic, target, failedBroker);
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      try {
        return await this.#sendTo(queue, outgoing, leftMs);
      } catch (error) {
        if (!isRetriable(error)) throw error;
        failure = error;
        failedBroker = queue.brokerName;
      }
    }
    // What we believe about the topic has failed us: ask before the next send.
    this.#client.routes.doubt(outgoing.topic);
    throw failure ?? new ClientError('unreachable', `the route of ${outgoing.topic} came too late for the send`);
  }

  async #sendTo(queue: MessageQueue, outgoing: Outgoing, timeoutMs: number): Promise<SendResult> {
    const address = this.#client.masterOf(queue.brokerName);
    const name = outgoing.batch ? 'sendBatchMessage' : 'sendMessageV2';
    const response: ResponseFor<'sendMessageV2'> = await this.#client.request(
      address,
      name,
      this.#header(outgoing, queue),
      { body: outgoing.body, timeoutMs },
    );
    const status = statusByCode.get(response.code);
    if (status === undefined) throw refusal(address, name, response);
    const { msgId, queueId, queueOffset, transactionId } = response.fields;
    if (msgId === undefined || queueId === undefined || queueOffset === undefined) {
      throw new ClientError('invalid', `${address} stored the message, but did not say where`);
    }
    return {
      status,
      messageId: outgoing.uniqueKey,
      offsetMessageId: msgId,
      queue: { ...queue, queueId },
      queueOffset,
      transactionId,
    };
  }

  #header(outgoing: Outgoing, queue: MessageQueue): RequestOf<'sendMessageV2'> {
    return {
      producerGroup: this.group,
      topic: outgoing.topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: newTopicQueueCount,
      queueId: queue.queueId,
      sysFlag: 0,
      bornTimestamp: this.#client.ports.clock.wallMs(),
      flag: outgoing.flag,
      properties: outgoing.properties,
      reconsumeTimes: 0,
      unitMode: false,
      batch: outgoing.batch,
      brokerName: queue.brokerName,
    };
  }

  async #chooseQueue(topic: string, target: SendTarget, avoidedBroker: string | undefined): Promise<MessageQueue> {
    if (target.queue !== undefined && this.#client.routes.address(target.queue.brokerName) !== undefined) {
      return target.queue;
    }
    const { publishQueues: queues } = await this.#client.routes.routeToPublish(topic);
    this.#greet();
    if (target.queue !== undefined) return target.queue;
    if (queues.length === 0) {
      throw new ClientError('no route', `no broker takes messages of ${topic}: none is writable with a live master`);
    }
    if (target.hashKey !== undefined) return queueByHash(queues, javaHash(target.hashKey));
    return this.#rotation.choose(queues, avoidedBroker);
  }

  /** Brokers hear of this producer with its first route, not only with the next beat: they may have to ask it things. */
  #greet(): void {
    if (this.#greeted) return;
    this.#greeted = true;
    void this.#client.heartbeat();
  }
}

/** The queues of a topic to choose from; for those who place messages themselves. */
export async function queuesToPublish(client: Client, topic: string): Promise<readonly MessageQueue[]> {
  return (await client.routes.routeToPublish(topic)).publishQueues;
}

function isRetriable(error: unknown): boolean {
  if (error instanceof RemotingError) return error.failure !== 'stopped';
  if (!(error instanceof ClientError)) return false;
  return error.failure === 'no route' || (error.code !== undefined && retriedCodes.has(error.code));
}
