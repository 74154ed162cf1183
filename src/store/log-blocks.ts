import { LruMap } from '../common/mod.ts';
import type { LogFiles } from './log-files.ts';

/**
 * Stretches of the log's files in memory, for readers behind the tail. Queues lie interleaved in the log, so that what
 * one reader needs lies between what the others do: read once, a block serves them all.
 *
 *     | block 0        |overlap|
 *                      | block 1        |overlap|      a record that begins in a block lies in it whole, unless it is
 *                                                      longer than the overlap
 *
 * A block is read when a pull wants several records of it, or when one was wanted of it before; lone records are read
 * alone, since those of one queue among a hundred thousand lie far apart.
 */
const blockSize = 256 << 10;
const overlapSize = 16 << 10;
/** 34 MB. */
const blocksMax = 128;
/** Records wanted at once that make a block worth reading. */
const recordsWorth = 4;
/** Blocks of which it is known that something was wanted. */
const wantedMax = 8192;

export class LogBlocks {
  readonly #files: Pick<LogFiles, 'file' | 'startOf' | 'segmentSize' | 'minOffset'>;
  readonly #durableOffset: () => number;
  /** By start. */
  readonly #blocks = new LruMap<number, Uint8Array>(blocksMax);
  readonly #loading = new Map<number, Promise<void>>();
  readonly #wanted = new LruMap<number, true>(wantedMax);
  /** The block that was used last. */
  #start = -1;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(files: Pick<LogFiles, 'file' | 'startOf' | 'segmentSize' | 'minOffset'>, durableOffset: () => number) {
    this.#files = files;
    this.#durableOffset = durableOffset;
  }

  /** The bytes, which never change; undefined when they are not in memory. */
  resident(offset: number, length: number): Uint8Array | undefined {
    if (offset < this.#files.minOffset) return undefined;
    const start = this.#startOf(offset);
    if (start !== this.#start) {
      const bytes = this.#blocks.get(start);
      if (bytes === undefined) return undefined;
      this.#start = start;
      this.#bytes = bytes;
    }
    const at = offset - start;
    return at + length <= this.#bytes.length ? this.#bytes.subarray(at, at + length) : undefined;
  }

  /** Brings blocks that hold records at these offsets to memory, as far as they are worth it. Rejects with DiskError. */
  async prepare(offsets: readonly number[]): Promise<void> {
    const counts = new Map<number, number>();
    for (const offset of offsets) {
      const start = this.#startOf(offset);
      counts.set(start, (counts.get(start) ?? 0) + 1);
    }
    const loads: Promise<void>[] = [];
    for (const [start, count] of counts) {
      if (this.#blocks.get(start) !== undefined) continue;
      const isWorth = count >= recordsWorth || this.#wanted.get(start) === true;
      this.#wanted.set(start, true);
      if (isWorth && start + this.#sizeOf(start) <= this.#durableOffset()) loads.push(this.#load(start));
    }
    await Promise.all(loads);
  }

  #startOf(offset: number): number {
    const segment = this.#files.startOf(offset);
    return segment + Math.floor((offset - segment) / blockSize) * blockSize;
  }

  /** A segment's last block may be shorter, and has no overlap. */
  #sizeOf(start: number): number {
    const segmentEnd = this.#files.startOf(start) + this.#files.segmentSize;
    return Math.min(blockSize + overlapSize, segmentEnd - start);
  }

  #load(start: number): Promise<void> {
    const known = this.#loading.get(start);
    if (known !== undefined) return known;
    const load = this.#read(start).finally(() => this.#loading.delete(start));
    this.#loading.set(start, load);
    return load;
  }

  async #read(start: number): Promise<void> {
    const file = await this.#files.file(start);
    const bytes = Buffer.allocUnsafeSlow(this.#sizeOf(start));
    const got = await file.read(bytes, 0, bytes.length, start % this.#files.segmentSize);
    this.#blocks.set(start, bytes.subarray(0, got));
  }
}
