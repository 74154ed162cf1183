import type { Clock } from '../io/mod.ts';
import type { Lifetime } from './lifetime.ts';
import type { MessageQueue } from './message-queue.ts';
import { ProcessQueue } from './process-queue.ts';

/** A lock that was not renewed for so long is not relied on; the broker gives it to others after 60 s only. */
const lockValidMs = 30_000;

/** A queue while it is this consumer's. */
export class AssignedQueue {
  readonly queue: MessageQueue;
  /** Ends when the queue is taken away or the consumer stops. */
  readonly lifetime: Lifetime;
  /** Replaced when the offset is moved: what was pulled before does not count any more. */
  processQueue: ProcessQueue;
  readonly #clock: Clock;
  #lockedMs: number | undefined;

  constructor(queue: MessageQueue, startOffset: number, lifetime: Lifetime, clock: Clock) {
    this.queue = queue;
    this.lifetime = lifetime;
    this.processQueue = new ProcessQueue(startOffset);
    this.#clock = clock;
  }

  /** Whether messages may be consumed in order here: no other consumer can have the queue. */
  get isLocked(): boolean {
    return this.#lockedMs !== undefined && this.#clock.monotonicMs() - this.#lockedMs < lockValidMs;
  }

  /** `askedMs` is when the lock was asked for: its validity counts from then. */
  locked(askedMs: number): void {
    this.#lockedMs = askedMs;
  }

  unlocked(): void {
    this.#lockedMs = undefined;
  }
}
