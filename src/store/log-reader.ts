import { checkRecord, decodeRecord, type RecordCheck, type StoredMessage } from '../message/mod.ts';
import type { LogFiles } from './log-files.ts';

/** Reads the log's files record by record, for recovery. */
const windowSize = 4 << 20;
/** A record that says to be longer is taken for garbage. */
const recordSizeMax = 64 << 20;
/** What a disk writes whole or not at all. */
export const sectorSize = 512;

export type LogItem =
  | { kind: 'record'; offset: number; record: StoredMessage }
  | { kind: 'blank'; offset: number; next: number }
  /** Nothing that belongs there: zeros, garbage, half a record. `sizeBytes` when it says one. */
  | { kind: 'end'; offset: number; why: string; sizeBytes: number; zeros: boolean };

export class LogReader {
  readonly #files: LogFiles;
  readonly #checkCrc: boolean;
  #bytes = new Uint8Array(0);
  #offset = 0;
  #length = 0;

  constructor(files: LogFiles, options: { checkCrc: boolean }) {
    this.#files = files;
    this.#checkCrc = options.checkCrc;
  }

  /** What begins at `offset`. Views in the record stay valid until the next call. */
  async at(offset: number): Promise<LogItem> {
    if (!this.#files.has(offset)) return { kind: 'end', offset, why: 'no segment', sizeBytes: 0, zeros: true };
    const segmentEnd = this.#files.startOf(offset) + this.#files.segmentSize;
    let check = this.#check(offset);
    if (check.kind === 'short') {
      const wanted = Math.max(check.sizeBytes, windowSize);
      if (check.sizeBytes <= Math.min(recordSizeMax, segmentEnd - offset)) {
        await this.#load(offset, Math.min(wanted, segmentEnd - offset));
        check = this.#check(offset);
        if (check.kind === 'short' && check.sizeBytes <= Math.min(recordSizeMax, segmentEnd - offset)) {
          await this.#load(offset, check.sizeBytes);
          check = this.#check(offset);
        }
      }
    }
    switch (check.kind) {
      case 'record': {
        const record = decodeRecord(this.#bytes, offset - this.#offset);
        const why = faultOf(record, offset);
        if (why === undefined) return { kind: 'record', offset, record };
        return { kind: 'end', offset, why, sizeBytes: check.sizeBytes, zeros: false };
      }
      case 'blank':
        if (offset + check.sizeBytes === segmentEnd) return { kind: 'blank', offset, next: segmentEnd };
        return { kind: 'end', offset, why: 'a blank that does not end its segment', sizeBytes: 8, zeros: false };
      case 'short':
        return { kind: 'end', offset, why: `a record of ${check.sizeBytes} bytes`, sizeBytes: 8, zeros: false };
      case 'end':
        return { kind: 'end', offset, why: check.why, sizeBytes: 8, zeros: true };
      case 'bad':
        return { kind: 'end', offset, why: check.why, sizeBytes: this.#saidSize(offset), zeros: false };
    }
  }

  #check(offset: number): RecordCheck {
    const at = offset - this.#offset;
    if (at < 0 || at >= this.#length) return { kind: 'short', sizeBytes: 8 };
    return checkRecord(this.#bytes, at, this.#length - at, { checkCrc: this.#checkCrc });
  }

  /** The size that a bad record says, as far as it is in memory. */
  #saidSize(offset: number): number {
    const at = offset - this.#offset;
    const size = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, 4).readInt32BE(0);
    return Math.max(8, Math.min(size, this.#length - at));
  }

  async #load(offset: number, length: number): Promise<void> {
    if (this.#bytes.length < length)
      this.#bytes = new Uint8Array(Math.max(length, Math.min(windowSize, this.#files.segmentSize)));
    const file = await this.#files.file(offset);
    this.#length = await file.read(this.#bytes, 0, length, offset % this.#files.segmentSize);
    this.#offset = offset;
  }
}

/** What neither lengths nor the body's checksum show: a record elsewhere than it says, or sectors that were not written. */
function faultOf(record: StoredMessage, offset: number): string | undefined {
  if (record.physicalOffset !== offset) return `a record that belongs to offset ${record.physicalOffset}`;
  if (record.topic.includes('\0')) return 'a topic with zeros in it';
  const { properties } = record;
  if (properties[properties.length - 1] === 0) return 'properties that end in a zero';
  const start = offset + record.sizeBytes - properties.length;
  for (let at = 0; at < properties.length; ) {
    const end = Math.min(properties.length, at + sectorSize - ((start + at) % sectorSize));
    if (!properties.subarray(at, end).some((byte) => byte !== 0)) return 'properties with a sector of zeros in them';
    at = end;
  }
  return undefined;
}
