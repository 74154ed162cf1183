import { PullSysFlag } from '../message/mod.ts';
import { ResponseCode, type Response as ResponseFor } from '../remoting/mod.ts';
import { type Client, refusal } from './client.ts';
import { ClientError } from './client-error.ts';
import type { Subscription } from './heartbeat.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import { decodeMessages, type ReceivedMessage } from './received-message.ts';

interface PullQuery {
  group: string;
  queue: MessageQueue;
  offset: number;
  maxMessages: number;
  /** How long the broker may hold the request until a message comes; 0 answers at once. */
  suspendMs: number;
  subscription: Subscription;
  /** The subscription goes along, for groups that the broker knows nothing of. */
  sendSubscription: boolean;
  /** To be stored as the group's offset in passing. */
  commitOffset: number | undefined;
  /** LITE_PULL_MESSAGE, which has a thread pool of its own in Apache. */
  lite: boolean;
}

/**
 * - 'found': there are messages, though perhaps none with a wanted tag.
 * - 'nothing new': the end of the queue.
 * - 'nothing matched': the broker skipped messages of other tags.
 * - 'offset moved': the offset is outside the queue; `nextOffset` is right.
 */
export type PullStatus = 'found' | 'nothing new' | 'nothing matched' | 'offset moved';

export interface PullResult {
  status: PullStatus;
  messages: ReceivedMessage[];
  nextOffset: number;
  minOffset: number;
  maxOffset: number;
  /** Which broker of the group should be asked next: 0 is the master. */
  suggestedBrokerId: number;
}

const pullMaxBytes = 256 * 1024;
/** On top of what the broker may hold the request. */
const answerTimeoutMs = 15_000;

const statusByCode: ReadonlyMap<number, PullStatus> = new Map([
  [ResponseCode.SUCCESS, 'found'],
  [ResponseCode.PULL_NOT_FOUND, 'nothing new'],
  [ResponseCode.PULL_RETRY_IMMEDIATELY, 'nothing matched'],
  [ResponseCode.PULL_OFFSET_MOVED, 'offset moved'],
]);

/**
 * One pull. The broker compares the hashes of tags only; the exact comparison is made here. Throws RemotingError, and
 * ClientError 'refused' or 'invalid'.
 */
export async function pull(client: Client, address: string, query: PullQuery): Promise<PullResult> {
  const { queue, subscription } = query;
  const name = query.lite ? 'litePullMessage' : 'pullMessage';
  const response: ResponseFor<'pullMessage'> = await client.request(
    address,
    name,
    {
      consumerGroup: query.group,
      topic: queue.topic,
      queueId: queue.queueId,
      queueOffset: query.offset,
      maxMsgNums: query.maxMessages,
      sysFlag: sysFlagOf(query),
      commitOffset: query.commitOffset ?? 0,
      suspendTimeoutMillis: query.suspendMs,
      subscription: query.sendSubscription ? subscription.subString : undefined,
      subVersion: subscription.subVersion,
      expressionType: subscription.expressionType,
      maxMsgBytes: pullMaxBytes,
      requestSource: -1,
    },
    { timeoutMs: query.suspendMs + answerTimeoutMs },
  );
  const status = statusByCode.get(response.code);
  if (status === undefined) throw refusal(address, name, response);
  const { nextBeginOffset, minOffset, maxOffset, suggestWhichBrokerId } = response.fields;
  if (nextBeginOffset === undefined || minOffset === undefined || maxOffset === undefined) {
    throw new ClientError('invalid', `${address} answered a pull without offsets`);
  }
  const messages = status === 'found' ? decodeMessages(response.body, queue) : [];
  let previous = query.offset - 1;
  for (const { queueOffset } of messages) {
    if (queueOffset <= previous || queueOffset >= nextBeginOffset) {
      throw new ClientError('invalid', `${address} sent offset ${queueOffset} after ${previous} of ${queueKey(queue)}`);
    }
    previous = queueOffset;
  }
  return {
    status,
    messages: wanted(messages, subscription),
    nextOffset: nextBeginOffset,
    minOffset,
    maxOffset,
    suggestedBrokerId: suggestWhichBrokerId ?? 0,
  };
}

function wanted(messages: ReceivedMessage[], subscription: Subscription): ReceivedMessage[] {
  if (subscription.subString === '*') return messages;
  return messages.filter(({ tag }) => tag !== undefined && subscription.tagsSet.includes(tag));
}

function sysFlagOf(query: PullQuery): number {
  return (
    (query.commitOffset === undefined ? 0 : PullSysFlag.COMMIT_OFFSET) |
    (query.suspendMs > 0 ? PullSysFlag.SUSPEND : 0) |
    (query.sendSubscription ? PullSysFlag.SUBSCRIPTION : 0) |
    (query.lite ? PullSysFlag.LITE_PULL : 0)
  );
}
