import { assert } from '../common/mod.ts';
import type { Random } from '../io/mod.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';

/** Chooses queues in turn, from a random start, so that many producers do not begin at the same queue. */
export class QueueRotation {
  #next: number;

  constructor(random: Random) {
    this.#next = random.below(2 ** 31);
  }

  /** Avoids a broker that just failed, when there is another. */
  choose(queues: readonly MessageQueue[], avoidedBroker?: string): MessageQueue {
    assert(queues.length > 0, 'a queue is chosen from some');
    for (let tried = 0; tried < queues.length; tried++) {
      const queue = queues[this.#next++ % queues.length];
      if (queue.brokerName !== avoidedBroker) return queue;
    }
    return queues[this.#next++ % queues.length];
  }
}

/** The same queue for the same hash while the queues stay the same (RocketMQ: SelectMessageQueueByHash). */
export function queueByHash(queues: readonly MessageQueue[], hash: number): MessageQueue {
  assert(queues.length > 0, `a queue is chosen from some, not ${queues.map(queueKey).join()}`);
  return queues[Math.abs(hash % queues.length)];
}
