import { isSafeI64, javaHash, readI64, writeI64 } from '../common/mod.ts';

/**
 * The layout of an index file, `index/<yyyyMMddHHmmssSSS>`:
 *
 *      0  header   i64 begin timestamp, i64 end timestamp, i64 begin physical offset, i64 end physical offset,
 *                  i32 slots in use, i32 entry count (from 1: entry 0 is never used)
 *     40  slots    i32 each: the newest entry of the chain, 0 when empty
 *         entries  20 bytes each: i32 key hash, i64 physical offset, i32 seconds since the begin timestamp,
 *                  i32 the entry before it in the chain, 0 at its end
 */
export const indexHeaderSize = 40;
export const indexSlotSize = 4;
export const indexEntrySize = 20;

export interface IndexHeader {
  beginTimestampMs: number;
  endTimestampMs: number;
  beginPhysicalOffset: number;
  endPhysicalOffset: number;
  slotCount: number;
  entryCount: number;
}

export interface IndexShape {
  slotsMax: number;
  entriesMax: number;
}

export function indexFileSize(shape: IndexShape): number {
  return indexHeaderSize + shape.slotsMax * indexSlotSize + shape.entriesMax * indexEntrySize;
}

export function slotPosition(slot: number): number {
  return indexHeaderSize + slot * indexSlotSize;
}

export function entryPosition(shape: IndexShape, entry: number): number {
  return indexHeaderSize + shape.slotsMax * indexSlotSize + entry * indexEntrySize;
}

/** The hash of `topic#key` as entries hold it: never negative (RocketMQ: IndexFile.indexKeyHashMethod). */
export function indexKeyHash(text: string): number {
  return entryHash(javaHash(text));
}

/** The same of a text's Java hash. */
export function entryHash(hash: number): number {
  // The absolute value of Integer.MIN_VALUE is itself.
  return hash === -0x8000_0000 ? 0 : Math.abs(hash);
}

export function encodeHeader(header: IndexHeader): Uint8Array {
  const bytes = new Uint8Array(indexHeaderSize);
  writeI64(bytes, 0, header.beginTimestampMs);
  writeI64(bytes, 8, header.endTimestampMs);
  writeI64(bytes, 16, header.beginPhysicalOffset);
  writeI64(bytes, 24, header.endPhysicalOffset);
  writeI32(bytes, 32, header.slotCount);
  writeI32(bytes, 36, header.entryCount);
  return bytes;
}

/** Undefined when it is no header that was ever written. */
export function decodeHeader(bytes: Uint8Array, shape: IndexShape): IndexHeader | undefined {
  if (![0, 8, 16, 24].every((at) => isSafeI64(bytes, at) && readI64(bytes, at) >= 0)) return undefined;
  const entryCount = Math.max(1, readI32(bytes, 36));
  if (entryCount > shape.entriesMax) return undefined;
  return {
    beginTimestampMs: readI64(bytes, 0),
    endTimestampMs: readI64(bytes, 8),
    beginPhysicalOffset: readI64(bytes, 16),
    endPhysicalOffset: readI64(bytes, 24),
    slotCount: readI32(bytes, 32),
    entryCount,
  };
}

export interface IndexEntry {
  keyHash: number;
  physicalOffset: number;
  seconds: number;
  previous: number;
}

export function encodeEntry(target: Uint8Array, at: number, entry: IndexEntry): void {
  writeI32(target, at, entry.keyHash);
  writeI64(target, at + 4, entry.physicalOffset);
  writeI32(target, at + 12, entry.seconds);
  writeI32(target, at + 16, entry.previous);
}

/** `physicalOffset` is beyond every log where the bytes are none that was ever written. */
export function decodeEntry(bytes: Uint8Array, at: number): IndexEntry {
  return {
    keyHash: readI32(bytes, at),
    physicalOffset: isSafeI64(bytes, at + 4) ? readI64(bytes, at + 4) : Number.MAX_SAFE_INTEGER,
    seconds: readI32(bytes, at + 12),
    previous: readI32(bytes, at + 16),
  };
}

/** `yyyyMMddHHmmssSSS` in local time, as files are named. */
export function indexFileName(wallMs: number, utcOffsetMinutes: number): string {
  return new Date(wallMs + utcOffsetMinutes * 60_000).toISOString().replace(/\D/g, '');
}

function writeI32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >> 24;
  target[at + 1] = value >> 16;
  target[at + 2] = value >> 8;
  target[at + 3] = value;
}

function readI32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
