import { compareQueues, compareText, type MessageQueue } from './message-queue.ts';

/**
 * Which queues of a topic a consumer takes. Every consumer of the group computes it for itself from the same two
 * lists, so that the rules must be exactly those of RocketMQ: queues and ids sorted, then
 *
 *     averagely    0 0 0 1 1 2 2      neighbours; the first ones take the rest
 *     by circle    0 1 2 0 1 2 0      dealt out in turn
 */
export type Allocation = 'averagely' | 'by circle';

/** Empty when `clientId` is not among `clientIds`. */
export function allocate(
  allocation: Allocation,
  queues: readonly MessageQueue[],
  clientIds: readonly string[],
  clientId: string,
): MessageQueue[] {
  const sorted = [...queues].sort(compareQueues);
  const ids = [...clientIds].sort(compareText);
  const index = ids.indexOf(clientId);
  if (index < 0) return [];
  if (allocation === 'by circle') return sorted.filter((_, at) => at % ids.length === index);
  const rest = sorted.length % ids.length;
  const share = Math.floor(sorted.length / ids.length);
  const start = index * share + Math.min(index, rest);
  return sorted.slice(start, start + share + (index < rest ? 1 : 0));
}
