import type { Log } from '../io/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import { commitOffset, committedOffset } from './queue-offsets.ts';

/** How far a group has consumed its queues. */
export interface OffsetStore {
  /** What is stored; undefined when the group never consumed the queue. Throws ClientError, RemotingError. */
  load(queue: MessageQueue): Promise<number | undefined>;
  /** The newest offset known here. */
  current(queue: MessageQueue): number | undefined;
  /** Notes progress; stored later. */
  update(queue: MessageQueue, offset: number): void;
  /** Stores what is new; a broker that does not answer keeps it for the next time. */
  persist(queues: Iterable<MessageQueue>): Promise<void>;
  /** The queue is another's now. */
  forget(queue: MessageQueue): void;
}

interface Progress {
  offset: number;
  storedOffset: number | undefined;
}

/** Offsets at the brokers, one for the whole group. */
export class BrokerOffsets implements OffsetStore {
  readonly #client: Client;
  readonly #group: string;
  readonly #log: Log;
  /** Of the queues that are consumed here, no others. */
  readonly #progress = new Map<string, Progress>();

  constructor(client: Client, group: string) {
    this.#client = client;
    this.#group = group;
    this.#log = client.ports.log;
  }

  load(queue: MessageQueue): Promise<number | undefined> {
    return committedOffset(this.#client, this.#group, queue);
  }

  current(queue: MessageQueue): number | undefined {
    return this.#progress.get(queueKey(queue))?.offset;
  }

  update(queue: MessageQueue, offset: number): void {
    const progress = this.#progress.get(queueKey(queue));
    if (progress === undefined) this.#progress.set(queueKey(queue), { offset, storedOffset: undefined });
    else progress.offset = offset;
  }

  async persist(queues: Iterable<MessageQueue>): Promise<void> {
    await Promise.all([...queues].map((queue) => this.#persistOne(queue)));
  }

  forget(queue: MessageQueue): void {
    this.#progress.delete(queueKey(queue));
  }

  async #persistOne(queue: MessageQueue): Promise<void> {
    const progress = this.#progress.get(queueKey(queue));
    if (progress === undefined || progress.offset === progress.storedOffset) return;
    const { offset } = progress;
    try {
      await commitOffset(this.#client, this.#group, queue, offset);
      progress.storedOffset = offset;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
      this.#log.warn(
        'client.offset-not-stored',
        { group: this.#group, queue: queueKey(queue), offset, error },
        `Offset ${offset} of ${queueKey(queue)} is not stored yet: ${error.message}`,
      );
    }
  }
}

/** Offsets of a broadcast consumer: its own, and for this process only. */
export class LocalOffsets implements OffsetStore {
  /** Kept when a queue goes and comes back. */
  readonly #offsets = new Map<string, number>();

  async load(queue: MessageQueue): Promise<number | undefined> {
    return this.current(queue);
  }

  current(queue: MessageQueue): number | undefined {
    return this.#offsets.get(queueKey(queue));
  }

  update(queue: MessageQueue, offset: number): void {
    this.#offsets.set(queueKey(queue), offset);
  }

  async persist(): Promise<void> {}

  forget(): void {}
}
