import { AssertionFailure, assert } from '../common/mod.ts';
import { type Clock, DiskError, type File, type Log, type Timer, type Timers } from '../io/mod.ts';
import { blankSize, checkRecord, encodeBlank } from '../message/mod.ts';
import type { LogFiles } from './log-files.ts';
import type { LogTail } from './log-tail.ts';
import { ZeroFill } from './zero-fill.ts';

/**
 * The log: records are staged in the tail in one synchronous step, and written in batches, one write in flight; what
 * arrives meanwhile forms the next batch. Its offsets, in ascending order:
 *
 *     flushed   up to here a sync succeeded
 *     durable   up to here answers were given: written (asynchronous flush) or synced (synchronous flush)
 *     end       up to here records have their place
 *
 * A write or sync that fails poisons its file. What was staged beyond the durable offset fails; what is kept but was
 * never synced is written again from memory (after a failed sync the page cache may hold, or have dropped, anything);
 * the rest is overwritten with zeros, so that no record that was refused can come back at a restart; and only when a
 * sync of all that has succeeded does the log take records again.
 */

/** Something that waits for its bytes to be durable. */
export interface Staged {
  /** The log's end behind it. */
  endOffset: number;
  /** In log order. */
  durable(): void;
  /** The log was cut back below it; newest first. */
  failed(cause: string): void;
  /** Not durable within the limit, though it still may become so. */
  late(): void;
}

export interface CommitLogOptions {
  files: LogFiles;
  tail: LogTail;
  timers: Timers;
  clock: Clock;
  log: Log;
  syncFlush: boolean;
  /** Period of the background sync with asynchronous flush. */
  flushIntervalMs: number;
  syncFlushTimeoutMs: number;
  /** Staged and not yet written; over it puts are refused as busy. */
  stagedSizeMax: number;
  /** Written and not yet synced; over it the background sync comes early. */
  unflushedMax: number;
  /** Runs after each batch became durable. */
  onDurable: () => void;
  /** "disk 96.0 % full at /data", measured now. */
  diskUse: () => Promise<string>;
}

/** Between two attempts to get a failed log going again. */
const repairPeriodMs = 1000;
const zeroChunkSize = 1 << 20;
const lateCheckPeriodMs = 1000;

export class CommitLog {
  readonly #files: LogFiles;
  readonly #tail: LogTail;
  readonly #options: CommitLogOptions;
  #end = 0;
  /** Up to here records need no other segment; 0 when that is not known. */
  #segmentEnd = 0;
  #written = 0;
  #durable = 0;
  #flushed = 0;
  /** Highest offset that a write was attempted to. */
  #dirtyEnd = 0;
  /** Of the newest record. */
  #lastTimestampMs = 0;
  readonly #staged = new StagedQueue();
  readonly #zeroFill: ZeroFill | undefined;
  #draining: Promise<void> | undefined;
  /** Something was staged in this turn of the event loop. */
  #inTurn = false;
  #syncing: Promise<void> | undefined;
  /** Why the log takes no records; undefined while it does. */
  #trouble: string | undefined;
  #closing = false;
  readonly #timers: Timer[] = [];
  #repairTimer: Timer | undefined;
  /** `end` at the last late checks, oldest first. */
  readonly #endsSeen: number[] = [];

  constructor(options: CommitLogOptions) {
    this.#options = options;
    this.#files = options.files;
    this.#tail = options.tail;
    if (options.syncFlush) this.#zeroFill = new ZeroFill({ ...options, end: () => this.#end });
  }

  /** Begins at `end`, all of which is known to be on disk. */
  start(end: number, lastTimestampMs: number): void {
    this.#end = end;
    this.#written = end;
    this.#durable = end;
    this.#flushed = end;
    this.#dirtyEnd = end;
    this.#lastTimestampMs = lastTimestampMs;
    const { timers, flushIntervalMs } = this.#options;
    this.#timers.push(
      timers.every(flushIntervalMs, () => void this.flush()),
      timers.every(lateCheckPeriodMs, () => this.#checkLate()),
    );
    this.#zeroFill?.start();
  }

  get end(): number {
    return this.#end;
  }
  get writtenOffset(): number {
    return this.#written;
  }
  get durableOffset(): number {
    return this.#durable;
  }
  get flushedOffset(): number {
    return this.#flushed;
  }
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * The stamp for the record that is staged next: wall time, but never going back along the log. One for all of a turn of
   * the event loop, since to ask the clock takes as long as to encode a record.
   */
  nextTimestampMs(): number {
    if (this.#inTurn) return this.#lastTimestampMs;
    const now = this.#options.clock.wallMs();
    if (now > this.#lastTimestampMs) this.#lastTimestampMs = now;
    return this.#lastTimestampMs;
  }

  /** Why `size` more bytes cannot be staged now; undefined when they can. */
  busy(size: number): string | undefined {
    const waiting = this.#end - this.#written;
    if (waiting + size <= this.#options.stagedSizeMax) return undefined;
    return `${waiting} bytes of the commit log wait to be written, the limit is ${this.#options.stagedSizeMax}`;
  }

  /**
   * Gives `size` bytes their place: the tail's `bytes` and `at` say where to build the records, the result is their
   * offset. A segment that cannot hold them, and a blank behind them, is closed with a blank.
   */
  place(size: number): number {
    assert(this.#trouble === undefined, 'nothing is staged into a failed log');
    // Not by modulo: it is slow beyond 2^31.
    if (this.#end + size + blankSize > this.#segmentEnd) this.#roll(size);
    const offset = this.#end;
    this.#tail.reserve(offset, size);
    this.#end += size;
    return offset;
  }

  /** Closes the segment unless it has room after all: `#segmentEnd` only says how far nothing needs to be looked at. */
  #roll(size: number): void {
    const { segmentSize } = this.#files;
    assert(size + blankSize <= segmentSize, 'a record fits into a segment');
    const rest = segmentSize - (this.#end % segmentSize);
    if (size + blankSize > rest) {
      this.#tail.reserve(this.#end, blankSize);
      encodeBlank(this.#tail.bytes, this.#tail.at, rest);
      this.#tail.seal();
      this.#end += rest;
    }
    this.#segmentEnd = this.#files.startOf(this.#end) + segmentSize;
  }

  /** Writes what was placed; `staged` hears of it. */
  stage(staged: Staged): void {
    assert(staged.endOffset === this.#end, 'records are staged as they were placed');
    this.#staged.push(staged);
    if (this.#inTurn) return;
    this.#inTurn = true;
    // All that arrives in this turn of the event loop goes into one write.
    this.#options.timers.soon(() => {
      this.#inTurn = false;
      this.#drain();
    });
  }

  #drain(): void {
    if (this.#draining !== undefined || this.#trouble !== undefined || this.#written === this.#end) return;
    this.#draining = this.#writeBatches();
  }

  async #writeBatches(): Promise<void> {
    while (this.#written < this.#end && this.#trouble === undefined) {
      const end = this.#end;
      try {
        await this.#write(end);
        if (this.#options.syncFlush) await this.#sync(end);
      } catch (error) {
        this.#fail(error);
      }
      // A sync beside this write may have failed meanwhile: the cut decides then.
      if (this.#trouble !== undefined) break;
      this.#durable = end;
      this.#settle();
    }
    // In the same step as the last look at `end`: what is staged after it starts a new run.
    this.#draining = undefined;
  }

  /** Writes the tail up to `end`, block by block. */
  async #write(end: number): Promise<void> {
    while (this.#written < end) {
      const part = this.#tail.contiguous(this.#written);
      if (part === undefined) {
        const next = this.#tail.nextStart(this.#written);
        assert(next !== undefined && next < end, 'what is staged is in the tail');
        this.#written = next;
        continue;
      }
      const length = Math.min(part.length, end - this.#written);
      const { segmentSize } = this.#files;
      assert((this.#written % segmentSize) + length <= segmentSize, 'a block of the tail lies in one segment');
      this.#dirtyEnd = Math.max(this.#dirtyEnd, this.#written + length);
      const inTheWay = this.#zeroFill?.inTheWay(this.#written + length);
      if (inTheWay !== undefined) await inTheWay;
      const file = await this.#files.file(this.#written);
      await file.write(part.bytes, part.at, length, this.#written % segmentSize);
      this.#written += length;
      this.#prepareNext();
    }
  }

  /** Creates the next segment while this one still has room, so that the roll does not wait for it. */
  #prepareNext(): void {
    const { segmentSize } = this.#files;
    const next = this.#files.startOf(this.#written) + segmentSize;
    if (this.#written % segmentSize < segmentSize / 8 || this.#files.has(next)) return;
    // A failure shows when the segment is needed.
    this.#files.file(next).catch(() => {});
  }

  async #sync(upTo: number): Promise<void> {
    const { segmentSize } = this.#files;
    for (let at = this.#files.startOf(this.#flushed); at < upTo; at += segmentSize) {
      const file = await this.#files.file(at);
      await file.syncData();
    }
    this.#flushed = Math.max(this.#flushed, upTo);
  }

  /** Syncs what is durable; the background sync, and the checkpoint's. Never rejects. */
  flush(): Promise<void> {
    if (this.#syncing !== undefined) return this.#syncing;
    if (this.#flushed === this.#durable || this.#trouble !== undefined) return Promise.resolve();
    this.#syncing = this.#sync(this.#durable)
      .catch((error) => this.#fail(error))
      .finally(() => {
        this.#syncing = undefined;
      });
    return this.#syncing;
  }

  /** Answers everything up to the durable offset. */
  #settle(): void {
    for (;;) {
      const first = this.#staged.first();
      if (first === undefined || first.endOffset > this.#durable) break;
      this.#staged.shift();
      first.durable();
    }
    // With synchronous flush both are the same.
    this.#tail.trim(this.#flushed, this.#durable);
    if (this.#durable - this.#flushed > this.#options.unflushedMax) void this.flush();
    this.#options.onDurable();
  }

  #checkLate(): void {
    this.#endsSeen.push(this.#end);
    if (this.#endsSeen.length * lateCheckPeriodMs <= this.#options.syncFlushTimeoutMs) return;
    const limit = this.#endsSeen.shift() ?? 0;
    if (limit <= this.#durable) return;
    this.#staged.forEach((staged) => {
      if (staged.endOffset <= limit) staged.late();
    });
  }

  #fail(error: unknown): void {
    if (this.#trouble !== undefined) return;
    if (!(error instanceof Error) || error instanceof AssertionFailure) throw error;
    const isFull = error instanceof DiskError && error.code === 'ENOSPC';
    this.#trouble = isFull ? `disk full: ${error.message}` : `the commit log failed: ${error.message}`;
    this.#options.log.error('store.log.failed', { cause: error.message, durableOffset: this.#durable }, this.#trouble);
    void this.#repair(isFull ? error.message : undefined);
  }

  /** `full`: the disk's word, to which the figures are looked up before anybody is told. */
  async #repair(full: string | undefined): Promise<void> {
    await this.#stopWork();
    if (full !== undefined) this.#trouble = `${await this.#options.diskUse()}: ${full}`;
    const keep = this.#durable;
    this.#cut(keep);
    for (;;) {
      await new Promise<void>((resolve) => {
        this.#repairTimer = this.#options.timers.after(repairPeriodMs, resolve);
      });
      if (this.#closing) return;
      try {
        await this.#rewrite(keep);
        break;
      } catch (error) {
        this.#options.log.warn('store.log.repair-failed', { error: String(error) }, 'the commit log stays closed');
      }
    }
    this.#written = keep;
    this.#flushed = keep;
    this.#dirtyEnd = keep;
    this.#trouble = undefined;
    this.#options.log.info('store.log.repaired', { endOffset: keep }, 'the commit log takes messages again');
  }

  #cut(keep: number): void {
    const cause = this.#trouble ?? '';
    for (;;) {
      const last = this.#staged.last();
      if (last === undefined || last.endOffset <= keep) break;
      this.#staged.pop();
      last.failed(cause);
    }
    this.#tail.cut(keep);
    this.#end = keep;
    this.#segmentEnd = 0;
  }

  /** Makes the files hold exactly the log up to `keep`, and zeros as far as anything was written. */
  async #rewrite(keep: number): Promise<void> {
    const { segmentSize } = this.#files;
    const touched = new Map<number, File>();
    const fileAt = async (offset: number): Promise<File> => {
      const start = this.#files.startOf(offset);
      const known = touched.get(start) ?? (await this.#files.reopen(start));
      touched.set(start, known);
      return known;
    };
    let at = this.#flushed;
    while (at < keep) {
      const isGap = at >= (this.#tail.start ?? keep) && this.#tail.contiguous(at) === undefined;
      const part = isGap
        ? undefined
        : (this.#tail.contiguous(at) ?? (await this.#readBack(await fileAt(at), at, keep)));
      if (part === undefined) {
        at = Math.min(this.#files.startOf(at) + segmentSize, keep);
        continue;
      }
      const length = Math.min(part.length, keep - at);
      await (await fileAt(at)).write(part.bytes, part.at, length, at % segmentSize);
      at += length;
    }
    const zeros = new Uint8Array(zeroChunkSize);
    const dirtyEnd = Math.max(this.#dirtyEnd, keep + blankSize);
    for (at = keep; at < dirtyEnd; ) {
      const length = Math.min(zeroChunkSize, dirtyEnd - at, segmentSize - (at % segmentSize));
      await (await fileAt(at)).write(zeros, 0, length, at % segmentSize);
      at += length;
    }
    for (const file of touched.values()) await file.syncData();
  }

  /** A record that is kept, was not synced, and is no longer in memory: believed only when its checksum holds. */
  async #readBack(file: File, offset: number, keep: number) {
    const { segmentSize } = this.#files;
    const room = Math.min(keep, this.#files.startOf(offset) + segmentSize) - offset;
    for (let size = Math.min(room, 4096); ; ) {
      const bytes = new Uint8Array(size);
      await file.read(bytes, 0, size, offset % segmentSize);
      const check = checkRecord(bytes, 0, size, { checkCrc: true });
      if (check.kind === 'record') return { bytes, at: 0, length: check.sizeBytes };
      if (check.kind === 'blank') return undefined;
      if (check.kind === 'short' && check.sizeBytes <= room) {
        size = check.sizeBytes;
        continue;
      }
      throw new Error(
        `${file.path} lost the record at ${offset} after a failed sync: restart to go on with what is on the disk`,
      );
    }
  }

  /** Waits until everything staged is answered, syncs it, and stops. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#zeroFill?.stop();
    for (const timer of this.#timers) timer.cancel();
    this.#repairTimer?.cancel();
    while (this.#trouble === undefined && (this.#staged.first() !== undefined || this.#draining !== undefined)) {
      this.#drain();
      await this.#draining;
    }
    await this.#syncing;
    await this.flush();
    if (this.#trouble === undefined) return;
    // One last attempt: with asynchronous flush, messages that were answered may be in memory only.
    await this.#stopWork();
    this.#cut(this.#durable);
    try {
      await this.#rewrite(this.#durable);
      this.#written = this.#durable;
      this.#flushed = this.#durable;
    } catch (error) {
      this.#options.log.error(
        'store.log.close-failed',
        { error: String(error) },
        'the commit log is closed unrepaired',
      );
    }
  }

  /** What is under way settles: its result no longer counts. */
  async #stopWork(): Promise<void> {
    while (this.#draining !== undefined || this.#syncing !== undefined) {
      await Promise.allSettled([this.#draining, this.#syncing]);
    }
  }
}

/** First in, first out, without moving what stays. */
class StagedQueue {
  #items: Staged[] = [];
  #head = 0;

  push(staged: Staged): void {
    this.#items.push(staged);
  }
  first(): Staged | undefined {
    return this.#items[this.#head];
  }
  last(): Staged | undefined {
    return this.#items.length > this.#head ? this.#items[this.#items.length - 1] : undefined;
  }
  shift(): void {
    this.#head += 1;
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
  pop(): void {
    this.#items.pop();
  }
  forEach(visit: (staged: Staged) => void): void {
    for (let i = this.#head; i < this.#items.length; i++) visit(this.#items[i]);
  }
}
