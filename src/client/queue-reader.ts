import { backoffMs } from '../common/mod.ts';
import { RemotingError, ResponseCode } from '../remoting/mod.ts';
import type { AssignedQueue } from './assigned-queue.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import type { Subscription } from './heartbeat.ts';
import { queueKey } from './message-queue.ts';
import type { OffsetStore } from './offset-store.ts';
import { ProcessQueue } from './process-queue.ts';
import { type PullResult, pull } from './pull.ts';

const suspendMs = 15_000;
const pullBatch = 32;
/** Between looks at a queue that is full, or waits for its lock. */
const fullDelayMs = 50;
const unlockedDelayMs = 3000;
/** After a pull that failed, and after more in a row: RocketMQ's clients always wait the 3 s. */
const failureDelayFirstMs = 100;
const failureDelayMaxMs = 3000;
/** The least time between two pulls of which the first brought nothing, should a broker not hold them. */
const emptyPullMinMs = 100;

/** The broker does not know (all of) what the heartbeat told: it was started anew. */
const unknownHereCodes: ReadonlySet<number | undefined> = new Set([
  ResponseCode.SUBSCRIPTION_NOT_EXIST,
  ResponseCode.SUBSCRIPTION_NOT_LATEST,
  ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
]);

interface QueueReaderOptions {
  client: Client;
  group: string;
  assigned: AssignedQueue;
  subscription: Subscription;
  offsets: OffsetStore;
  /** False for broadcast consumers: their offsets are their own. */
  commits: boolean;
  /** Nothing is pulled without the queue's lock. */
  locked: boolean;
  /** There are messages in `assigned.processQueue`. */
  onMessages(assigned: AssignedQueue, messages: PullResult['messages']): void;
}

/** Pulls a queue while it is assigned, with one long poll after the other. Resolves when the queue is taken away. */
export async function readQueue(options: QueueReaderOptions, startOffset: number): Promise<void> {
  const { assigned, client, locked } = options;
  let offset = startOffset;
  let brokerId = 0;
  let failures = 0;
  while (!assigned.lifetime.ended) {
    if (assigned.processQueue.isFull) {
      await assigned.lifetime.sleep(fullDelayMs);
      continue;
    }
    if (locked && !assigned.isLocked) {
      await assigned.lifetime.sleep(unlockedDelayMs);
      continue;
    }
    const beganMs = client.ports.clock.monotonicMs();
    const result = await pullOnce(options, offset, brokerId);
    if (assigned.lifetime.ended) return;
    if (result === undefined) {
      brokerId = 0;
      const chance = client.ports.random.float();
      await assigned.lifetime.sleep(backoffMs(++failures, failureDelayFirstMs, failureDelayMaxMs, chance));
      continue;
    }
    failures = 0;
    take(options, result, offset);
    const tookMs = client.ports.clock.monotonicMs() - beganMs;
    const isIdle = result.messages.length === 0 && result.nextOffset === offset;
    brokerId = result.suggestedBrokerId;
    offset = result.nextOffset;
    if (isIdle && tookMs < emptyPullMinMs) await assigned.lifetime.sleep(emptyPullMinMs - tookMs);
  }
}

/** Undefined when it failed, which is logged. */
async function pullOnce(
  options: QueueReaderOptions,
  offset: number,
  brokerId: number,
): Promise<PullResult | undefined> {
  const { client, group, assigned, subscription } = options;
  const { queue } = assigned;
  const address = client.routes.address(queue.brokerName, brokerId) ?? client.routes.anyAddress(queue.brokerName);
  try {
    if (address === undefined) throw new ClientError('no route', `the broker ${queue.brokerName} is gone`);
    return await pull(client, address, {
      group,
      queue,
      offset,
      maxMessages: pullBatch,
      suspendMs,
      subscription,
      sendSubscription: false,
      commitOffset: options.commits && brokerId === 0 ? options.offsets.current(queue) : undefined,
      lite: false,
    });
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
    if (assigned.lifetime.ended || error.failure === 'stopped') return undefined;
    client.ports.log.warn(
      'client.pull-failed',
      { group, queue: queueKey(queue), offset, error },
      `Pull of ${queueKey(queue)} from ${offset}: ${error.message}`,
    );
    if (address !== undefined && error instanceof ClientError && unknownHereCodes.has(error.code)) {
      await client.introduceTo(address);
    }
    return undefined;
  }
}

function take(options: QueueReaderOptions, result: PullResult, offset: number): void {
  const { assigned, offsets } = options;
  if (result.status === 'offset moved') {
    options.client.ports.log.warn(
      'client.offset-moved',
      { group: options.group, queue: queueKey(assigned.queue), offset, nextOffset: result.nextOffset },
      `${queueKey(assigned.queue)} has no offset ${offset}: going on at ${result.nextOffset}`,
    );
    assigned.processQueue = new ProcessQueue(result.nextOffset);
    offsets.update(assigned.queue, result.nextOffset);
    return;
  }
  assigned.processQueue.add(result.messages, result.nextOffset);
  // Messages of other tags were passed: the group has seen them.
  if (assigned.processQueue.isEmpty) offsets.update(assigned.queue, result.nextOffset);
  if (result.messages.length > 0) options.onMessages(assigned, result.messages);
}
