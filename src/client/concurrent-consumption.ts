import type { AssignedQueue } from './assigned-queue.ts';
import { type Consumption, type ConsumptionOptions, callListener, sendBack } from './consumption.ts';
import { queueKey } from './message-queue.ts';
import type { ProcessQueue } from './process-queue.ts';
import type { ReceivedMessage } from './received-message.ts';
import { Slots } from './slots.ts';

/** The broker decides by how often the message failed. */
const delayLevelByBroker = 0;
/** Until messages that the broker did not take back are tried here again. */
const localRetryDelayMs = 5000;

/** Messages as they come, several at once, in no order. What fails goes back to the broker. */
export class ConcurrentConsumption implements Consumption {
  readonly #options: ConsumptionOptions;
  readonly #slots: Slots;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ConsumptionOptions) {
    this.#options = options;
    this.#slots = new Slots(options.concurrency);
  }

  onMessages(assigned: AssignedQueue, messages: readonly ReceivedMessage[]): void {
    const { batchSizeMax } = this.#options;
    for (let at = 0; at < messages.length; at += batchSizeMax) {
      const batch = messages.slice(at, at + batchSizeMax);
      const run = this.#consume(assigned, assigned.processQueue, batch).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #consume(
    assigned: AssignedQueue,
    processQueue: ProcessQueue,
    batch: readonly ReceivedMessage[],
  ): Promise<void> {
    const { client, listener } = this.#options;
    let left = batch;
    for (;;) {
      await this.#slots.acquire();
      try {
        if (isGone(assigned, processQueue)) return;
        const outcome = await callListener(client, listener, left, assigned.queue);
        left =
          outcome === 'success'
            ? this.#finish(assigned, processQueue, left)
            : await this.#fail(assigned, processQueue, left);
      } finally {
        this.#slots.release();
      }
      if (left.length === 0) return;
      await assigned.lifetime.sleep(localRetryDelayMs);
      if (isGone(assigned, processQueue)) return;
      for (const message of left) message.reconsumeTimes++;
    }
  }

  #finish(
    assigned: AssignedQueue,
    processQueue: ProcessQueue,
    messages: readonly ReceivedMessage[],
  ): ReceivedMessage[] {
    for (const message of messages) processQueue.finish(message);
    if (!isGone(assigned, processQueue)) this.#options.offsets.update(assigned.queue, processQueue.commitOffset);
    return [];
  }

  /** Gives those that could not be sent back. */
  async #fail(
    assigned: AssignedQueue,
    processQueue: ProcessQueue,
    messages: readonly ReceivedMessage[],
  ): Promise<ReceivedMessage[]> {
    const { client, group, maxReconsumeTimes, broadcast } = this.#options;
    if (broadcast) {
      client.ports.log.warn(
        'client.broadcast-dropped',
        { group, queue: queueKey(assigned.queue), messageIds: messages.map(({ messageId }) => messageId) },
        'Messages of a broadcast were not consumed and are dropped',
      );
      return this.#finish(assigned, processQueue, messages);
    }
    const taken = await Promise.all(
      messages.map((message) => sendBack(client, group, message, delayLevelByBroker, maxReconsumeTimes)),
    );
    this.#finish(
      assigned,
      processQueue,
      messages.filter((_, index) => taken[index]),
    );
    return messages.filter((_, index) => !taken[index]);
  }
}

/** The queue is another's, or its offset was moved: what becomes of these messages counts no more. */
function isGone(assigned: AssignedQueue, processQueue: ProcessQueue): boolean {
  return assigned.lifetime.ended || assigned.processQueue !== processQueue;
}
