import { type Clock, DiskError, type Log, type Timer, type Timers } from '../io/mod.ts';
import type { LogFiles } from './log-files.ts';

/**
 * Synchronous flush syncs after every batch, and a sync into a sparse file costs two to four times one into blocks that
 * were written before. So the log's segments are filled with zeros ahead of its end, chunk after chunk, in the
 * background and with rests in between, since it competes for the disk with the log itself. While messages come, only
 * the next segment is filled: new blocks in the same file would make each sync of the log wait for the file system's
 * journal.
 *
 *     … records |end     gap     | filled with zeros | chunk under way |      sparse …
 *
 * A chunk must never meet a write of the log: it begins well beyond the end, and the log waits for one that it reaches.
 */
export interface ZeroFillParts {
  files: LogFiles;
  timers: Timers;
  clock: Clock;
  log: Log;
  /** The log's end. */
  end: () => number;
}

const chunkSize = 1 << 20;
/** Filled ahead of the log's end at most. */
const aheadMax = 512 << 20;
const gapMin = 4 << 20;
const restMsMin = 10;
/** Rests in terms of what a chunk took. */
const restFactor = 2;
/** Without room for a chunk, or after trouble with one. */
const idleMs = 500;

export class ZeroFill {
  readonly #parts: ZeroFillParts;
  readonly #zeros = new Uint8Array(chunkSize);
  /** By segment. */
  readonly #filledTo = new Map<number, number>();
  #endSeen = -1;
  #chunkStart = Number.POSITIVE_INFINITY;
  #chunk: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: ZeroFillParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#rest(0);
  }

  /** Undefined when the log may write up to `offset`, otherwise what to wait for. */
  inTheWay(offset: number): Promise<void> | undefined {
    return offset > this.#chunkStart ? this.#chunk : undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#chunk;
  }

  #rest(delayMs: number): void {
    if (!this.#stopped) this.#timer = this.#parts.timers.after(delayMs, () => this.#next());
  }

  #next(): void {
    const { files, clock } = this.#parts;
    const from = this.#place();
    if (from === undefined) {
      this.#rest(idleMs);
      return;
    }
    const start = files.startOf(from);
    const to = Math.min(from + chunkSize, start + files.segmentSize);
    const beganMs = clock.monotonicMs();
    this.#chunkStart = from;
    this.#chunk = this.#fill(from, to).then((done) => {
      this.#chunkStart = Number.POSITIVE_INFINITY;
      if (done) this.#filledTo.set(start, to);
      this.#rest(done ? Math.max(restMsMin, (clock.monotonicMs() - beganMs) * restFactor) : idleMs);
    });
  }

  /** Where the next chunk belongs; undefined when there is nothing to fill. */
  #place(): number | undefined {
    const { files } = this.#parts;
    const end = this.#parts.end();
    const isIdle = end === this.#endSeen;
    this.#endSeen = end;
    const current = files.startOf(end);
    const next = current + files.segmentSize;
    for (const start of this.#filledTo.keys()) if (start < current) this.#filledTo.delete(start);
    const inCurrent = Math.max(this.#filledTo.get(current) ?? 0, Math.ceil((end + gapMin) / chunkSize) * chunkSize);
    if (isIdle && inCurrent < Math.min(next, end + aheadMax) && files.has(current)) return inCurrent;
    const inNext = this.#filledTo.get(next) ?? next;
    return files.has(next) && inNext < Math.min(next + files.segmentSize, end + aheadMax) ? inNext : undefined;
  }

  /** Trouble is the log's to meet: what could not be filled stays sparse. */
  async #fill(from: number, to: number): Promise<boolean> {
    const { files, log } = this.#parts;
    try {
      const file = await files.file(from);
      await file.write(this.#zeros, 0, to - from, from % files.segmentSize);
      await file.syncData();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      log.debug('store.zero-fill.failed', { error: error.message }, 'a segment stays sparse');
      return false;
    }
  }
}
