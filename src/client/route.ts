import { type JsonObject, type JsonValue, parseLooseJson } from '../common/mod.ts';
import { Perm } from '../message/mod.ts';
import { ClientError } from './client-error.ts';
import { compareText, type MessageQueue } from './message-queue.ts';

/** Where a topic lives, as a name server says (TopicRouteData). */
export interface Route {
  /** What a topic would get when a send creates it: good for sending only, and asked for again by who reads. */
  provisional: boolean;
  /** Broker name → broker id (0 is the master) → address. */
  brokers: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** What brokers offer, by broker name. */
  offers: readonly QueueData[];
  /** The queues that messages may be sent to: writable, at brokers with a master. */
  publishQueues: readonly MessageQueue[];
  /** The queues that messages may be read from: readable, a slave is enough. */
  subscribeQueues: readonly MessageQueue[];
}

interface QueueData {
  brokerName: string;
  perm: number;
  readQueueCount: number;
  writeQueueCount: number;
}

/** Of one broker; more in a route is nonsense. */
const queueCountMax = 100_000;

/** Reads the body of a route answer, in either JSON dialect. Throws ClientError 'invalid'. */
export function parseRoute(topic: string, body: Uint8Array): Route {
  let value: JsonValue;
  try {
    value = parseLooseJson(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch (cause) {
    throw new ClientError('invalid', 'the name server sent a route that is no JSON', { cause });
  }
  const route = asObject(value);
  const brokers = new Map<string, Map<number, string>>();
  for (const item of asArray(route.brokerDatas)) {
    const data = asObject(item);
    const addresses = Object.entries(asObject(data.brokerAddrs)).map(
      ([id, address]) => [Number(id), String(address)] as const,
    );
    brokers.set(String(data.brokerName), new Map(addresses));
  }
  const offers = asArray(route.queueDatas).map((item) => {
    const data = asObject(item);
    return {
      brokerName: String(data.brokerName),
      perm: Number(data.perm),
      readQueueCount: asCount(data.readQueueNums),
      writeQueueCount: asCount(data.writeQueueNums),
    };
  });
  offers.sort((a, b) => compareText(a.brokerName, b.brokerName));
  // `broker-a:4;broker-b:4`: exactly these queues, for topics with a fixed order.
  const orderTopicConf = typeof route.orderTopicConf === 'string' ? route.orderTopicConf : '';
  return {
    provisional: false,
    brokers,
    offers,
    publishQueues: orderTopicConf === '' ? writable(topic, offers, brokers) : orderedQueues(orderTopicConf, topic),
    subscribeQueues: offers
      .filter(({ perm }) => (perm & Perm.READ) !== 0)
      .flatMap(({ brokerName, readQueueCount }) => numbered(topic, brokerName, readQueueCount)),
  };
}

/** The route that `topic` will get when the first send creates it from the template's. */
export function routeFromTemplate(topic: string, template: Route, queueCountMaxWanted: number): Route {
  const offers = template.offers.map((offer) => {
    const count = Math.min(queueCountMaxWanted, offer.readQueueCount);
    return { ...offer, readQueueCount: count, writeQueueCount: count };
  });
  // There is nothing to read before the topic exists.
  const publishQueues = writable(topic, offers, template.brokers);
  return { provisional: true, brokers: template.brokers, offers, publishQueues, subscribeQueues: [] };
}

function writable(topic: string, offers: readonly QueueData[], brokers: Route['brokers']): MessageQueue[] {
  return offers
    .filter(({ perm, brokerName }) => (perm & Perm.WRITE) !== 0 && brokers.get(brokerName)?.has(0))
    .flatMap(({ brokerName, writeQueueCount }) => numbered(topic, brokerName, writeQueueCount));
}

function orderedQueues(orderTopicConf: string, topic: string): MessageQueue[] {
  return orderTopicConf.split(';').flatMap((item) => {
    const [brokerName, count] = item.split(':');
    return numbered(topic, brokerName, asCount(count));
  });
}

function numbered(topic: string, brokerName: string, count: number): MessageQueue[] {
  return Array.from({ length: count }, (_, queueId) => ({ topic, brokerName, queueId }));
}

function asCount(value: JsonValue | undefined): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 0 || count > queueCountMax) {
    throw new ClientError('invalid', `the route has a queue count of ${String(value)}`);
  }
  return count;
}

function asObject(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function asArray(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}
