import { AssertionFailure } from '../common/mod.ts';
import { type Clock, DiskError, type Log, type Timer, type Timers } from '../io/mod.ts';
import { blankSize, checkRecord, findRecord, physicalOffsetOf, recordHeadSize } from '../message/mod.ts';
import type { LogFiles } from './log-files.ts';

/**
 * Reads the synced log from its first to its last byte, over and over, and checks every record, so that rot is known
 * before somebody needs the message. A slice at a time, with long rests: the whole log in the period, unless that takes
 * more than the rate or than a twentieth of the time. Reads go the way of cold reads, one at once.
 *
 * What the page cache holds is read from there: rot below it shows once the cache has dropped the page.
 */
export interface ScrubParts {
  files: LogFiles;
  flushedOffset: () => number;
  timers: Timers;
  clock: Clock;
  log: Log;
  /** For the whole log; 0 for no scrub. */
  periodMs: number;
  bytesPerSecondMax: number;
}

export interface ScrubState {
  /** Where the pass under way is. */
  offset: number;
  /** Times that the whole log was read. */
  passes: number;
  bytesTotal: number;
  /** Places found damaged in the last whole pass, or since. */
  damagedCount: number;
}

const sliceSize = 256 << 10;
/** Rest in terms of what a slice took. */
const restFactor = 19;
const restMsMin = 1000;
/** Of the period, before the first slice, and while there is no log. */
const firstPart = 100;
/** A record that says to be longer is taken for garbage. */
const recordSizeMax = 256 << 20;
/** Places that are told apart; more count as one. */
const damagedMax = 1000;

export class Scrub {
  readonly #parts: ScrubParts;
  #timer: Timer | undefined;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #at = 0;
  /** Behind damage: the next record is looked for. */
  #isLost = false;
  #passes = 0;
  #bytesTotal = 0;
  #before = new Set<number>();
  #now = new Set<number>();

  constructor(parts: ScrubParts) {
    this.#parts = parts;
  }

  get state(): ScrubState {
    const damagedCount = new Set([...this.#before, ...this.#now]).size;
    return { offset: this.#at, passes: this.#passes, bytesTotal: this.#bytesTotal, damagedCount };
  }

  start(): void {
    if (this.#parts.periodMs > 0) this.#wait(this.#parts.periodMs / firstPart);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#work;
  }

  /** As long as what was read is of the whole log's time. */
  #rest(tookMs: number, bytes: number): void {
    if (this.#stopped) return;
    const { files, flushedOffset, periodMs, bytesPerSecondMax } = this.#parts;
    const logBytes = flushedOffset() - files.minOffset;
    const part = logBytes === 0 ? 1 / firstPart : Math.min(1, bytes / logBytes);
    this.#wait(Math.max(periodMs * part, (bytes / bytesPerSecondMax) * 1000, tookMs * restFactor));
  }

  #wait(restMs: number): void {
    this.#timer = this.#parts.timers.after(Math.max(restMsMin, restMs), () => {
      this.#work = this.#slice();
    });
  }

  async #slice(): Promise<void> {
    const { clock, files } = this.#parts;
    const beganMs = clock.monotonicMs();
    if (this.#at < files.minOffset) this.#goTo(files.minOffset);
    const from = this.#at;
    try {
      await this.#check();
    } catch (error) {
      if (!(error instanceof Error) || error instanceof AssertionFailure) throw error;
      // A segment that aged out meanwhile is no damage.
      if (this.#at >= files.minOffset && !(error instanceof DiskError && error.code === 'ECLOSED')) {
        this.#damaged(this.#at, error.message);
        this.#goTo(files.startOf(this.#at) + files.segmentSize);
      }
    }
    const bytes = this.#at - from;
    if (bytes > 0 && this.#at >= this.#parts.flushedOffset()) this.#endPass();
    this.#rest(clock.monotonicMs() - beganMs, bytes);
  }

  #goTo(offset: number): void {
    this.#at = offset;
    this.#isLost = false;
  }

  #endPass(): void {
    const { files, log } = this.#parts;
    this.#passes += 1;
    this.#before = this.#now;
    this.#now = new Set();
    const fields = { passes: this.#passes, endOffset: this.#at, damaged: this.#before.size };
    log.info('store.scrub.done', fields, 'the whole log was read and checked');
    this.#goTo(files.minOffset);
  }

  /** Checks what lies in one slice; a record that reaches beyond it is read whole. */
  async #check(): Promise<void> {
    const { files } = this.#parts;
    const segmentEnd = files.startOf(this.#at) + files.segmentSize;
    const end = Math.min(segmentEnd, this.#parts.flushedOffset());
    let bytes = await this.#read(Math.min(sliceSize, end - this.#at));
    let at = 0;
    while (at < bytes.length && !this.#stopped) {
      if (this.#isLost) {
        at = this.#find(bytes, at);
        continue;
      }
      const check = checkRecord(bytes, at, bytes.length - at, { checkCrc: true });
      if (check.kind === 'record' && physicalOffsetOf(bytes, at) === this.#at + at) {
        at += check.sizeBytes;
      } else if (check.kind === 'blank' && this.#at + at + check.sizeBytes === segmentEnd) {
        at = segmentEnd - this.#at;
      } else if (check.kind === 'short' && this.#at + at + check.sizeBytes <= end && check.sizeBytes <= recordSizeMax) {
        // The next slice begins with it; when it began this one, it needs a larger one.
        if (at > 0) break;
        bytes = await this.#read(check.sizeBytes);
        if (bytes.length < check.sizeBytes) throw new Error(`a segment ends within the record at ${this.#at}`);
      } else {
        this.#damaged(this.#at + at, 'why' in check ? check.why : 'a record that does not belong there');
        this.#isLost = true;
        at += 1;
      }
    }
    this.#bytesTotal += Math.min(at, bytes.length);
    this.#at += at;
  }

  /** Where in the slice a record begins again, or how far it was looked through. */
  #find(bytes: Uint8Array, from: number): number {
    for (let at = findRecord(bytes, from); at >= 0; at = findRecord(bytes, at + 1)) {
      const check = checkRecord(bytes, at, bytes.length - at, { checkCrc: true });
      const isHeadThere = bytes.length - at >= recordHeadSize;
      // One that reaches beyond the slice is judged when the next slice begins with it.
      if (check.kind !== 'record' && check.kind !== 'short') continue;
      if (isHeadThere && physicalOffsetOf(bytes, at) !== this.#at + at) continue;
      this.#isLost = false;
      return at;
    }
    return Math.max(from + 1, bytes.length - blankSize);
  }

  async #read(length: number): Promise<Uint8Array> {
    const { files } = this.#parts;
    const bytes = new Uint8Array(length);
    const file = await files.file(this.#at);
    const got = await file.read(bytes, 0, length, this.#at % files.segmentSize);
    return bytes.subarray(0, got);
  }

  #damaged(offset: number, why: string): void {
    const isNew = !this.#before.has(offset) && !this.#now.has(offset);
    if (this.#now.size < damagedMax) this.#now.add(offset);
    if (!isNew) return;
    const { files, log } = this.#parts;
    const path = files.pathOf(files.startOf(offset));
    log.error(
      'store.scrub.damage',
      { path, offset, why },
      'the log is damaged: a message is lost, unless a copy has it',
    );
  }
}
