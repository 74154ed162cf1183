import type { Staged } from './commit-log.ts';
import type { PutResult, PutStatus } from './message-store.ts';
import type { TopicQueues } from './queue-table.ts';

/** Puts between their place in the log and their answer. */
interface PublishedTo {
  /** The message became durable. */
  published(message: StagedMessage): void;
  /** The log was cut back below it, the newest first. */
  withdrawn(message: StagedMessage): void;
}

/**
 * A message on its way to the disk: its record is in the tail, its entry in the queue's page. It is the result that its
 * sender gets, too, and one object for each message is enough.
 */
export class StagedMessage implements Staged, PutResult {
  endOffset = 0;
  readonly status = 'ok';
  physicalOffset = 0;
  queueOffset = 0;
  sizeBytes = 0;
  storeTimestampMs = 0;
  /** Undefined for records that are in no queue. */
  topic: TopicQueues | undefined = undefined;
  queue = -1;
  tagsCode = 0;
  keyHashes: readonly number[] = noHashes;
  readonly #store: PublishedTo;
  readonly #done: ((result: PutResult) => void) | undefined;
  #answered = false;

  constructor(store: PublishedTo, done: ((result: PutResult) => void) | undefined) {
    this.#store = store;
    this.#done = done;
  }

  answer(result: PutResult): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#done?.(result);
  }

  durable(): void {
    this.#store.published(this);
    this.answer(this);
  }

  failed(cause: string): void {
    this.#store.withdrawn(this);
    this.answer(resultOf(this, 'service not available', cause));
  }

  late(): void {
    this.answer(resultOf(this, 'flush disk timeout', lateCause));
  }
}

/** Messages that become durable, or fail, together. */
export class StagedBatch implements Staged {
  endOffset = 0;
  readonly #store: PublishedTo;
  readonly #messages: readonly StagedMessage[];
  readonly #done: (results: PutResult[]) => void;
  #answered = false;

  constructor(store: PublishedTo, messages: readonly StagedMessage[], done: (results: PutResult[]) => void) {
    this.#store = store;
    this.#messages = messages;
    this.#done = done;
  }

  answer(status: PutStatus, cause?: string): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#done(this.#messages.map((message) => (cause === undefined ? message : resultOf(message, status, cause))));
  }

  durable(): void {
    for (const message of this.#messages) this.#store.published(message);
    this.answer('ok');
  }

  failed(cause: string): void {
    for (const message of this.#messages.toReversed()) this.#store.withdrawn(message);
    this.answer('service not available', cause);
  }

  late(): void {
    this.answer('flush disk timeout', lateCause);
  }
}

function resultOf(message: StagedMessage, status: PutStatus, cause: string): PutResult {
  const { physicalOffset, queueOffset, sizeBytes, storeTimestampMs } = message;
  return { status, cause, physicalOffset, queueOffset, sizeBytes, storeTimestampMs };
}

const noHashes: readonly number[] = [];
const lateCause = 'the sync takes longer than syncFlushTimeout';

export function refused(status: PutStatus, cause: string): PutResult {
  return { status, cause, physicalOffset: -1, queueOffset: -1, sizeBytes: 0, storeTimestampMs: 0 };
}

export function illegal(cause: string): PutResult {
  return refused('message illegal', cause);
}
