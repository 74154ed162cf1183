// The load, in a process of its own beside the broker that gets killed: producers, a reader of every queue and a
// consumer group, over real sockets with our own client. It does what its parent tells it (`Order`), and answers each
// order once it is done.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  createTopic,
  type MessageQueue,
  Producer,
  PullConsumer,
  PushConsumer,
} from '../../../src/client/mod.ts';
import { createNodeEnv } from '../../../src/io/node/mod.ts';
import { Ledger, type LedgerFigures } from './ledger.ts';
import { decodePayload, encodePayload } from './payload.ts';

export type Order =
  /** Creates the topic and begins to send, read and consume. */
  | { order: 'start'; namesrv: string; broker: string }
  /** Stops sending, and checks that every acknowledged message is there. */
  | { order: 'check' }
  /** Waits until the consumer group was given every message. */
  | { order: 'drain' }
  | { order: 'resume' }
  /** Reads every queue again from its beginning, and compares. */
  | { order: 'reread' }
  | { order: 'stop' };

export type Answer = { done: Order['order']; figures: LedgerFigures } | { failure: string };

export const topic = 'KillTopic';
export const queueCount = 8;
const laneCount = 24;
const batchEvery = 10;
const batchSize = 5;
const bodySizeMax = 2000;
const pauseBetweenSendsMs = 2;
const pauseAfterFailureMs = 20;
const checkTimeoutMs = 60_000;
const pullSuspendMs = 500;

const env = createNodeEnv({ log: { level: 'silent' } });
const ledger = new Ledger(queueCount);
let broken: Error | undefined;
let sending = false;
let underWay = 0;
let stopped = false;
let clients: Client[] = [];
let readers: PullConsumer;

function queue(queueId: number): MessageQueue {
  return { topic, brokerName: 'broker-a', queueId };
}

/** One place in the window of sends: one message after the other, now and then a batch. A failed send is not repeated. */
async function lane(producer: Producer, number: number): Promise<void> {
  for (let turn = 0; !stopped; turn++) {
    if (!sending) {
      await sleep(pauseAfterFailureMs);
      continue;
    }
    const target = { queue: queue((number + turn) % queueCount) };
    const ids = Array.from({ length: turn % batchEvery === 0 ? batchSize : 1 }, () => ledger.nextId());
    const messages = ids.map((id) => ({ topic, keys: [`k${id}`], body: encodePayload(id, (id * 131) % bodySizeMax) }));
    underWay++;
    try {
      const sent = ids.length === 1 ? producer.send(messages[0], target) : producer.sendBatch(messages, target);
      const { queue: at, queueOffset } = await sent.catch(() => ({ queue: undefined, queueOffset: 0 }));
      if (at === undefined) {
        await sleep(pauseAfterFailureMs);
      } else {
        for (const [i, id] of ids.entries()) {
          ledger.acknowledge(id, { queueId: at.queueId, queueOffset: queueOffset + i });
        }
      }
    } finally {
      underWay--;
    }
    await sleep(pauseBetweenSendsMs);
  }
}

/** Follows a queue from 0 on: every offset must come, once, and never go away again. */
async function follow(queueId: number): Promise<void> {
  while (!stopped) {
    const offset = ledger.seenEnd(queueId);
    const result = await readers.pull(queue(queueId), offset, { suspendMs: pullSuspendMs }).catch(() => undefined);
    if (result === undefined) {
      await sleep(pauseAfterFailureMs);
      continue;
    }
    if (result.status === 'offset moved') {
      throw new Error(
        `queue ${queueId} had ${offset} messages, and has offsets ${result.minOffset}…${result.maxOffset}`,
      );
    }
    for (const message of result.messages) {
      ledger.see(decodePayload(message.body), { queueId, queueOffset: message.queueOffset });
    }
  }
}

async function start({ namesrv, broker }: { namesrv: string; broker: string }): Promise<void> {
  const options = { nameServers: [namesrv], ip: '127.0.0.1' };
  clients = [new Client(env, options), new Client(env, options)];
  await createTopic(clients[0], broker, { topic, queueCount });
  for (const client of clients) {
    const consumer = new PushConsumer(client, {
      group: 'KillGroup',
      subscriptions: { [topic]: '*' },
      from: 'first',
      listener: async (messages) => {
        for (const message of messages) {
          ledger.consume(decodePayload(message.body));
        }
        return 'success';
      },
    });
    await consumer.start();
  }
  readers = new PullConsumer(clients[0], { group: 'KillReaders', subscriptions: { [topic]: '*' } });
  await readers.queues(topic);
  const producer = new Producer(clients[1], { group: 'KillProducers', retryCount: 0 });
  sending = true;
  for (let i = 0; i < laneCount; i++) {
    watch(lane(producer, i));
  }
  for (let queueId = 0; queueId < queueCount; queueId++) {
    watch(follow(queueId));
  }
}

/** What goes wrong in the background fails the next order. */
function watch(work: Promise<void>): void {
  work.catch((error: Error) => {
    broken ??= error;
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + checkTimeoutMs;
  while (!holds()) {
    if (broken !== undefined) {
      throw broken;
    }
    if (performance.now() > end) {
      throw new Error(`${what}: not within ${checkTimeoutMs} ms; ${JSON.stringify(ledger.figures())}`);
    }
    await sleep(10);
  }
}

async function check(): Promise<void> {
  sending = false;
  await until('sends under way end', () => underWay === 0);
  const ends = await Promise.all(Array.from({ length: queueCount }, (_, queueId) => readEnd(queueId)));
  await until('readers reach the end of the queues', () =>
    ends.every((end, queueId) => ledger.seenEnd(queueId) >= end),
  );
  ledger.checkAcknowledged();
}

async function readEnd(queueId: number): Promise<number> {
  const result = await readers.pull(queue(queueId), ledger.seenEnd(queueId));
  return result.maxOffset;
}

async function reread(): Promise<void> {
  for (let queueId = 0; queueId < queueCount; queueId++) {
    const end = ledger.seenEnd(queueId);
    for (let offset = 0; offset < end; ) {
      const result = await readers.pull(queue(queueId), offset);
      if (result.messages.length === 0) {
        throw new Error(`queue ${queueId} offset ${offset} of ${end} cannot be read: ${result.status}`);
      }
      for (const message of result.messages) {
        ledger.checkUnchanged(decodePayload(message.body), { queueId, queueOffset: message.queueOffset });
      }
      offset = result.nextOffset;
    }
  }
}

async function obey(order: Order): Promise<void> {
  switch (order.order) {
    case 'start':
      await start(order);
      break;
    case 'check':
      await check();
      break;
    case 'drain':
      await until('the consumers are given every message', () => ledger.notConsumed() === 0);
      break;
    case 'resume':
      sending = true;
      break;
    case 'reread':
      await reread();
      break;
    case 'stop':
      stopped = true;
      await Promise.all(clients.map((client) => client.close()));
      break;
  }
}

process.on('message', (order: Order) => {
  obey(order)
    .then((): Answer => ({ done: order.order, figures: ledger.figures() }))
    .catch((error: Error): Answer => ({ failure: error.stack ?? error.message }))
    .then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
