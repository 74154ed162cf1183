import { isZeros } from '../common/mod.ts';
import { findRecord, type StoredMessage } from '../message/mod.ts';
import type { LogFiles } from './log-files.ts';
import { LogReader } from './log-reader.ts';

/**
 * Goes along a log that may be damaged, for the tools: record after record, and over what is none to the next record.
 * Recovery does not do that: it cuts, or refuses.
 */
export interface Damage {
  offset: number;
  why: string;
  /** Where a valid record goes on; undefined when none follows. */
  next: number | undefined;
}

export interface LogWalkVisitor {
  record(record: StoredMessage): void | Promise<void>;
  /** Nothing valid lies from `offset` to `next`. */
  damage(damage: Damage): void;
  /** Called now and then. */
  progress(offset: number): void;
}

const searchSize = 1 << 20;
const progressBytes = 8 << 20;

/** Walks from a place where a record begins; gives the log's end, at most `end`. */
export async function walkLog(files: LogFiles, from: number, end: number, visitor: LogWalkVisitor): Promise<number> {
  const reader = new LogReader(files, { checkCrc: true });
  let told = from;
  let at = from;
  while (at < end) {
    const item = await reader.at(at);
    if (item.kind === 'record') {
      await visitor.record(item.record);
      at += item.record.sizeBytes;
    } else if (item.kind === 'blank') {
      at = item.next;
    } else {
      const next = files.has(at) ? await nextRecord(files, at, end) : undefined;
      // Zeros with nothing behind them are where the log ends.
      if (next !== undefined || !(await isZeroToSegmentEnd(files, at)))
        visitor.damage({ offset: at, why: item.why, next });
      if (next === undefined) return at;
      at = next;
    }
    if (at - told >= progressBytes) {
      told = at;
      visitor.progress(at);
    }
  }
  visitor.progress(at);
  return at;
}

/** The first valid record behind `offset`, in any segment. */
async function nextRecord(files: LogFiles, offset: number, end: number): Promise<number | undefined> {
  const reader = new LogReader(files, { checkCrc: true });
  for (const start of files.starts) {
    const segmentEnd = Math.min(start + files.segmentSize, end);
    const overlap = 8;
    const bytes = new Uint8Array(Math.min(searchSize, files.segmentSize));
    for (let at = Math.max(start, offset + 1); at < segmentEnd; at += Math.max(1, bytes.length - overlap)) {
      const file = await files.file(start);
      const got = await file.read(bytes, 0, Math.min(bytes.length, segmentEnd - at), at - start);
      const view = bytes.subarray(0, got);
      for (let place = findRecord(view, 0); place >= 0; place = findRecord(view, place + 1)) {
        if ((await reader.at(at + place)).kind === 'record') return at + place;
      }
    }
  }
  return undefined;
}

async function isZeroToSegmentEnd(files: LogFiles, offset: number): Promise<boolean> {
  if (!files.has(offset)) return true;
  const start = files.startOf(offset);
  const file = await files.file(offset);
  const bytes = new Uint8Array(Math.min(searchSize, files.segmentSize));
  for (let at = offset; at < start + files.segmentSize; at += bytes.length) {
    const got = await file.read(bytes, 0, Math.min(bytes.length, start + files.segmentSize - at), at - start);
    if (!isZeros(bytes.subarray(0, got))) return false;
  }
  return true;
}
