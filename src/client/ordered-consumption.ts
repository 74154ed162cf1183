import type { AssignedQueue } from './assigned-queue.ts';
import { type Consumption, type ConsumptionOptions, callListener, sendBack } from './consumption.ts';
import type { ReceivedMessage } from './received-message.ts';
import { Slots } from './slots.ts';

/** Before a batch that failed is tried again. */
const retryDelayMs = 1000;
/** Between looks whether the lock has come back. */
const unlockedDelayMs = 100;

const deadLetter = -1;

/** One batch after the other in each queue, while the queue's lock is held. A batch that fails is tried again. */
export class OrderedConsumption implements Consumption {
  readonly #options: ConsumptionOptions;
  readonly #slots: Slots;
  readonly #running = new Map<AssignedQueue, Promise<void>>();

  constructor(options: ConsumptionOptions) {
    this.#options = options;
    this.#slots = new Slots(options.concurrency);
  }

  onMessages(assigned: AssignedQueue): void {
    if (this.#running.has(assigned)) return;
    this.#running.set(assigned, this.#consume(assigned));
  }

  async idle(assigned?: AssignedQueue): Promise<void> {
    if (assigned === undefined) await Promise.all(this.#running.values());
    else await this.#running.get(assigned);
  }

  async #consume(assigned: AssignedQueue): Promise<void> {
    while (!assigned.lifetime.ended && !assigned.processQueue.isEmpty) {
      const retry = await this.#consumeBatch(assigned);
      if (retry !== undefined) await assigned.lifetime.sleep(retry);
    }
    this.#running.delete(assigned);
  }

  /** Gives how long to wait before the next batch, if at all. */
  async #consumeBatch(assigned: AssignedQueue): Promise<number | undefined> {
    const { client, listener, batchSizeMax, broadcast } = this.#options;
    await this.#slots.acquire();
    try {
      if (assigned.lifetime.ended) return undefined;
      if (!broadcast && !assigned.isLocked) return unlockedDelayMs;
      const { processQueue } = assigned;
      const batch = processQueue.first(batchSizeMax);
      const outcome = await callListener(client, listener, batch, assigned.queue);
      // The offset was moved meanwhile: what was consumed counts no more.
      if (assigned.processQueue !== processQueue) return undefined;
      if (outcome === 'later' && (await this.#holdsUp(batch))) return retryDelayMs;
      for (const message of batch) processQueue.finish(message);
      this.#options.offsets.update(assigned.queue, processQueue.commitOffset);
      return undefined;
    } finally {
      this.#slots.release();
    }
  }

  /** Whether a failed batch stays at the head of its queue: unless all of it failed too often and became dead letters. */
  async #holdsUp(batch: readonly ReceivedMessage[]): Promise<boolean> {
    const { client, group, maxReconsumeTimes } = this.#options;
    let stays = false;
    for (const message of batch) {
      const isDead =
        message.reconsumeTimes >= maxReconsumeTimes &&
        (await sendBack(client, group, message, deadLetter, maxReconsumeTimes));
      if (!isDead) {
        message.reconsumeTimes++;
        stays = true;
      }
    }
    return stays;
  }
}
