import { assert } from '../common/mod.ts';
import type { ReceivedMessage } from './received-message.ts';

/** Flow control: over any of these nothing more is pulled (RocketMQ's pullThresholdForQueue, …SizeForQueue, span). */
const messageCountMax = 1000;
const sizeBytesMax = 100 * 1024 * 1024;
/** Between the first and the last message here, so that one message that hangs cannot let thousands be redelivered. */
const offsetSpanMax = 2000;

/**
 * The messages of one queue that were pulled and are not consumed yet. They may finish in any order; the offset to
 * commit is that of the first which is not finished.
 */
export class ProcessQueue {
  /** By queue offset, ascending: messages are pulled in that order. */
  readonly #messages = new Map<number, ReceivedMessage>();
  #sizeBytes = 0;
  #lastOffset = -1;
  /** Where consumption stands when nothing is left here. */
  #endOffset: number;

  constructor(startOffset: number) {
    this.#endOffset = startOffset;
  }

  get isEmpty(): boolean {
    return this.#messages.size === 0;
  }

  get isFull(): boolean {
    const [first] = this.#messages.keys();
    return (
      this.#messages.size >= messageCountMax ||
      this.#sizeBytes >= sizeBytesMax ||
      (first !== undefined && this.#lastOffset - first > offsetSpanMax)
    );
  }

  /** What a group commits: everything before it is consumed. */
  get commitOffset(): number {
    const [first] = this.#messages.keys();
    return first ?? this.#endOffset;
  }

  /** `nextOffset` is where the next pull begins. */
  add(messages: readonly ReceivedMessage[], nextOffset: number): void {
    for (const message of messages) {
      assert(message.queueOffset > this.#lastOffset, 'a queue is pulled in the order of its offsets');
      this.#lastOffset = message.queueOffset;
      this.#sizeBytes += message.sizeBytes;
      this.#messages.set(message.queueOffset, message);
    }
    this.#endOffset = nextOffset;
  }

  finish(message: ReceivedMessage): void {
    if (!this.#messages.delete(message.queueOffset)) return;
    this.#sizeBytes -= message.sizeBytes;
  }

  /** The first `count` messages, which stay until they are finished. */
  first(count: number): ReceivedMessage[] {
    const found: ReceivedMessage[] = [];
    for (const message of this.#messages.values()) {
      if (found.length >= count) break;
      found.push(message);
    }
    return found;
  }
}
