/**
 * The store as the broker sees it: an append-only commit log, and queues and an index that are functions of it.
 *
 * - A put is one synchronous step (check, assign the queue offset, encode, stage); its callback runs at the durability
 *   point: written (asynchronous flush) or synced (synchronous flush). A message becomes readable at that same point.
 * - Reads give whole records as they are on disk, in chunks that stay unchanged until `release`.
 */

import type { ScrubState } from './scrub.ts';

export type PutStatus =
  | 'ok'
  /** Stored, not yet known to be synced within `syncFlushTimeout` (code 10). */
  | 'flush disk timeout'
  /** Refused, nothing stored: record or properties too large, or empty topic (code 13). */
  | 'message illegal'
  /** Refused or lost: disk full, failed write or sync, stopping (code 14); `cause` says which, with figures. */
  | 'service not available'
  /** Refused: staging is full (code 2); `cause` says of what. */
  | 'busy'
  /** The log could not be written or cut back (code 1). */
  | 'unknown error';

export interface PutResult {
  status: PutStatus;
  /** A sentence for the remark when `status` is not ok. */
  cause?: string;
  physicalOffset: number;
  queueOffset: number;
  sizeBytes: number;
  storeTimestampMs: number;
}

/** What to store. Buffers are read during the call only. */
export interface Put {
  topic: string;
  queueId: number;
  flag: number;
  sysFlag: number;
  bornTimestampMs: number;
  /** 4 or 16 bytes. */
  bornIp: Uint8Array;
  bornPort: number;
  reconsumeTimes: number;
  preparedTransactionOffset: number;
  /** As it is stored, compressed or not. */
  body: Uint8Array;
  /** The properties string as UTF-8 (`name 0x01 value 0x02 …`). */
  properties: Uint8Array;
  /** The queue entry's tags code; the Java hash of TAGS (0 without), or the deliver time for the schedule topic. */
  tagsCode: number;
  /**
   * Java hashes of the texts that the index finds it by: `topic#key` for unique key and keys, `topic#T#tags`. Kept, so
   * that the list must not change.
   */
  keyHashes: readonly number[];
  /** WAIT=false: answered once staged. */
  waitForDurable: boolean;
}

export type GetStatus =
  | 'FOUND'
  | 'NO_MATCHED_MESSAGE'
  | 'MESSAGE_WAS_REMOVING'
  | 'OFFSET_FOUND_NULL'
  | 'OFFSET_OVERFLOW_BADLY'
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_TOO_SMALL'
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE';

export interface Get {
  topic: string;
  queueId: number;
  offset: number;
  /** 1 … 32 in practice; limits of count and bytes in memory and from disk apply besides (behaviour.md 5). */
  maxMessages: number;
  /** Undefined accepts all. */
  accepts?: ((tagsCode: number) => boolean) | undefined;
}

export interface GetResult {
  status: GetStatus;
  /** Where the next pull should begin, corrected as behaviour.md 5 says. */
  nextOffset: number;
  minOffset: number;
  maxOffset: number;
  messageCount: number;
  sizeBytes: number;
  /** Concatenated, these are the pull response's body. */
  chunks: readonly Uint8Array[];
  /** True when the newest 40 % of RAM behind the log's end does not hold what was read ("suggest slave"). */
  behindMemory: boolean;
  /** Call once when the chunks were sent or dropped. */
  release(): void;
}

/** Called when a message becomes readable, in queue order. Must be cheap: it runs for every message. */
export type ArrivalListener = (topic: string, queueId: number, queueOffset: number, tagsCode: number) => void;

export interface IndexQuery {
  topic: string;
  key: string;
  /** Undefined: any kind of key. */
  maxMessages: number;
  beginTimestampMs: number;
  endTimestampMs: number;
}

export interface StoreHealth {
  writable: boolean;
  /** Why not, with figures: "disk 96 % full at /data (limit 90 %)". */
  cause: string | undefined;
  diskUsedRatio: number;
  minPhysicalOffset: number;
  /** End of the log, staged bytes included. */
  maxPhysicalOffset: number;
  writtenOffset: number;
  flushedOffset: number;
  /** Log bytes whose queue entries or index are not on disk yet. */
  dispatchBehindBytes: number;
  queueCount: number;
  scrub: ScrubState;
}

export interface MessageStore {
  /** One message. `done` runs exactly once, never during the call. */
  put(message: Put, done: (result: PutResult) => void): void;
  /** All or none, consecutive queue offsets in one queue; `done` gets the results in order. */
  putBatch(messages: readonly Put[], done: (results: PutResult[]) => void): void;
  /** Synchronous when everything is in memory, which is the common case. */
  get(query: Get): GetResult | Promise<GetResult>;
  onArrival(listener: ArrivalListener): void;

  /** 0 for a queue that does not exist. */
  minOffset(topic: string, queueId: number): number;
  /** The offset the next readable message will get; 0 for a queue that does not exist. */
  maxOffset(topic: string, queueId: number): number;
  /** Whether the message at `queueOffset` lies within 40 % of RAM behind the log's end. */
  inMemory(topic: string, queueId: number, queueOffset: number): boolean;
  /** By store timestamp: behaviour.md 6 for the boundary rules. */
  offsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper'): Promise<number>;
  /** Store timestamp of the queue's first message, -1 when there is none. */
  earliestTimestampMs(topic: string, queueId: number): Promise<number>;
  /** Store timestamp of one message, -1 when there is none. */
  timestampAt(topic: string, queueId: number, queueOffset: number): Promise<number>;
  /** The record at a physical offset, undefined where none begins. */
  recordAt(physicalOffset: number): Promise<Uint8Array | undefined>;
  /** Records by key, newest first. The caller compares the keys: hashes collide. */
  queryIndex(
    query: IndexQuery,
  ): Promise<{ records: Uint8Array[]; indexLastUpdateTimestampMs: number; indexLastUpdatePhysicalOffset: number }>;

  /** Queue ids of a topic that exist on disk or in memory, ascending. */
  queuesOf(topic: string): number[];
  topics(): string[];
  /** Removes a topic's queues; its log records age out. */
  deleteTopic(topic: string): Promise<void>;

  health(): StoreHealth;
  /** Flushes everything, writes the checkpoint, removes the abort file, releases the directory. */
  close(): Promise<void>;
}
