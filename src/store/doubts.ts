import { isStorableTopicName, type StoredMessage } from '../message/mod.ts';
import type { Checkpoint } from './checkpoint.ts';
import { hasQueueUnit } from './dispatch.ts';
import type { QueueTable } from './queue-table.ts';

/**
 * Finds records that are whole, but cannot be as we wrote them. The format's one checksum covers the body alone; behind
 * a checkpoint of ours, though, we know more: a queue goes on without a gap, a new one begins at 0, time does not go
 * back. (Others may have written otherwise; so may we below the checkpoint, of topics that were deleted since.)
 *
 * Nothing tells when a bit flips in: flag, born time and host, store host, reconsume times, prepared offset, compression
 * and other bits of sysFlag; in the properties; in the store time of the last record, to a later one; in topic or queue
 * id, when the record is the first of its queue.
 */
export interface Doubt {
  /** Not always that of the record that was judged: it may show the one before to be wrong. */
  offset: number;
  why: string;
}

export class Doubts {
  readonly #table: QueueTable;
  /** Store times of the last record, and of the one before. */
  #lastTimeMs: number;
  #timeBeforeMs: number;
  /** Undefined when it lies below the checkpoint. */
  #lastOffset: number | undefined;

  constructor(table: QueueTable, checkpoint: Checkpoint) {
    this.#table = table;
    this.#lastTimeMs = checkpoint.lastTimestampMs;
    this.#timeBeforeMs = checkpoint.lastTimestampMs;
  }

  /** The caller goes along the log, and has given the table the records so far. */
  judge(record: StoredMessage): Doubt | undefined {
    const { physicalOffset: offset, storeTimestampMs } = record;
    const why = whyImpossible(record) ?? this.#whyMisplaced(record);
    if (why !== undefined) return { offset, why };
    if (storeTimestampMs < this.#lastTimeMs) return this.#backInTime(offset, storeTimestampMs);
    this.#timeBeforeMs = this.#lastTimeMs;
    this.#lastTimeMs = storeTimestampMs;
    this.#lastOffset = offset;
    return undefined;
  }

  #whyMisplaced({ sysFlag, topic, queueId, queueOffset }: StoredMessage): string | undefined {
    if (!hasQueueUnit(sysFlag)) return undefined;
    const queue = this.#table.find(topic, queueId);
    const next = queue < 0 ? 0 : this.#table.nextUnit[queue];
    return queueOffset === next ? undefined : `offset ${queueOffset} of ${topic}/${queueId}, which goes on at ${next}`;
  }

  /** Either this record's time is wrong, or, when it is not before the last but one, that of the last may be. */
  #backInTime(offset: number, timeMs: number): Doubt {
    if (this.#lastOffset === undefined || timeMs < this.#timeBeforeMs) {
      return { offset, why: 'a store time before that of the record before it' };
    }
    return { offset: this.#lastOffset, why: 'a store time behind that of the next record' };
  }
}

function whyImpossible({ topic, queueId, queueOffset, sysFlag }: StoredMessage): string | undefined {
  if (!isStorableTopicName(topic)) return 'a topic name that cannot be stored';
  if (queueId < 0) return `queue id ${queueId}`;
  if (!hasQueueUnit(sysFlag) && queueOffset !== 0) return 'a queue offset, though it is in no queue';
  return undefined;
}
