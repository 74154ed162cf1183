import { ResponseCode } from '../remoting/mod.ts';
import { type Client, refusal } from './client.ts';
import { ClientError } from './client-error.ts';
import type { MessageQueue } from './message-queue.ts';

/** What brokers know about the offsets of their queues. All throw ClientError and RemotingError. */

/** The group's committed offset; undefined when the broker has none. */
export async function committedOffset(client: Client, group: string, queue: MessageQueue): Promise<number | undefined> {
  const address = client.masterOf(queue.brokerName);
  const header = { consumerGroup: group, topic: queue.topic, queueId: queue.queueId };
  const response = await client.request(address, 'queryConsumerOffset', header);
  if (response.code === ResponseCode.QUERY_NOT_FOUND) return undefined;
  if (response.code !== ResponseCode.SUCCESS) throw refusal(address, 'queryConsumerOffset', response);
  return required(response.fields.offset, address);
}

export async function commitOffset(client: Client, group: string, queue: MessageQueue, offset: number): Promise<void> {
  await client.call(client.masterOf(queue.brokerName), 'updateConsumerOffset', {
    consumerGroup: group,
    topic: queue.topic,
    queueId: queue.queueId,
    commitOffset: offset,
  });
}

/** The offset that the next message will get. */
export async function maxOffset(client: Client, queue: MessageQueue): Promise<number> {
  const address = client.masterOf(queue.brokerName);
  const response = await client.call(address, 'getMaxOffset', { topic: queue.topic, queueId: queue.queueId });
  return required(response.fields.offset, address);
}

/** The offset of the oldest message. */
export async function minOffset(client: Client, queue: MessageQueue): Promise<number> {
  const address = client.masterOf(queue.brokerName);
  const response = await client.call(address, 'getMinOffset', { topic: queue.topic, queueId: queue.queueId });
  return required(response.fields.offset, address);
}

/** The first offset whose message was stored at `timestampMs` or later; the end of the queue when there is none. */
export async function offsetByTime(client: Client, queue: MessageQueue, timestampMs: number): Promise<number> {
  const address = client.masterOf(queue.brokerName);
  const response = await client.call(address, 'searchOffsetByTimestamp', {
    topic: queue.topic,
    queueId: queue.queueId,
    timestamp: timestampMs,
    boundaryType: 'LOWER',
  });
  return required(response.fields.offset, address);
}

function required(offset: number | undefined, address: string): number {
  if (offset === undefined) throw new ClientError('invalid', `${address} answered without an offset`);
  return offset;
}
