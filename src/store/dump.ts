import type { StoredMessage } from '../message/mod.ts';
import { LogReader } from './log-reader.ts';
import { type Damage, walkLog } from './log-walk.ts';
import type { StoreFiles } from './store-files.ts';

/** Gives the records of a store's log in order, those that a filter wants. */
export interface DumpFilter {
  topic?: string | undefined;
  queueId?: number | undefined;
  /** Queue offsets, the second excluded. */
  queueOffsets?: readonly [number, number] | undefined;
  /** Store times in ms, the second excluded. */
  times?: readonly [number, number] | undefined;
  /** Physical offsets, the second excluded. */
  offsets?: readonly [number, number] | undefined;
  countMax: number;
}

export interface DumpVisitor {
  /** The record's views are valid during the call. */
  record(record: StoredMessage): void | Promise<void>;
  damage(damage: Damage): void;
  progress(doneBytes: number, totalBytes: number): void;
}

class Enough extends Error {}

/** Gives how many records were wanted. */
export async function dumpStore(store: StoreFiles, filter: DumpFilter, visitor: DumpVisitor): Promise<number> {
  const { log, isHeld, checkpointOffset } = store;
  const last = log.starts[log.starts.length - 1] ?? 0;
  const logEnd = isHeld && checkpointOffset !== undefined ? checkpointOffset : last + log.segmentSize;
  const end = Math.min(logEnd, filter.offsets?.[1] ?? logEnd);
  const from = await firstSegment(store, filter);
  let count = 0;
  if (filter.countMax === 0) return 0;
  try {
    await walkLog(log, from, end, {
      record: async (record) => {
        if (!wants(filter, record)) return;
        await visitor.record(record);
        count += 1;
        if (count === filter.countMax) throw new Enough();
      },
      damage: (damage) => visitor.damage(damage),
      progress: (offset) => visitor.progress(offset - from, end - from),
    });
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return count;
}

function wants(filter: DumpFilter, record: StoredMessage): boolean {
  if (filter.topic !== undefined && record.topic !== filter.topic) return false;
  if (filter.queueId !== undefined && record.queueId !== filter.queueId) return false;
  return (
    isWithin(filter.queueOffsets, record.queueOffset) &&
    isWithin(filter.times, record.storeTimestampMs) &&
    isWithin(filter.offsets, record.physicalOffset)
  );
}

function isWithin(range: readonly [number, number] | undefined, value: number): boolean {
  return range === undefined || (value >= range[0] && value < range[1]);
}

/** Segments whose successor begins before what is wanted hold nothing that is. */
async function firstSegment({ log }: StoreFiles, { times, offsets }: DumpFilter): Promise<number> {
  const reader = new LogReader(log, { checkCrc: false });
  let first = log.minOffset;
  for (const start of log.starts) {
    const item = await reader.at(start);
    if (item.kind !== 'record') break;
    const isBefore = start <= (offsets?.[0] ?? 0) || item.record.storeTimestampMs < (times?.[0] ?? 0);
    if (isBefore) first = start;
  }
  return first;
}
