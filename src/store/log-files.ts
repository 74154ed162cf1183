import { assert } from '../common/mod.ts';
import { type Disk, DiskError, type File } from '../io/mod.ts';
import { listSegments, openSegment, segmentName } from './segment-file.ts';

/** Descriptors of the log that are kept open at once. */
const openFilesMax = 16;

/** The commit log's segments: which there are, and their open files. */
export class LogFiles {
  readonly directory: string;
  readonly segmentSize: number;
  readonly #disk: Disk;
  /** Ascending, each the one before plus `segmentSize`. */
  readonly #starts: number[] = [];
  /** By start, the one used last at the end. */
  readonly #open = new Map<number, Promise<File>>();

  constructor(disk: Disk, directory: string, segmentSize: number) {
    this.#disk = disk;
    this.directory = directory;
    this.segmentSize = segmentSize;
  }

  /**
   * Reads the directory. Rejects when segments are missing in the middle or have another size than configured; only
   * the last one may be empty, and after a crash short.
   */
  async load(crashed: boolean): Promise<void> {
    const starts = await listSegments(this.#disk, this.directory);
    for (const [index, start] of starts.entries()) {
      const path = this.pathOf(start);
      const { sizeBytes } = await this.#disk.stat(path);
      // A crash, or a disk that failed, between creating and sizing: opening it sizes it.
      const isShort = sizeBytes === 0 || (crashed && sizeBytes < this.segmentSize);
      const unfinished = index === starts.length - 1 && isShort;
      if (sizeBytes !== this.segmentSize && !unfinished) {
        throw new Error(
          `${path} has ${sizeBytes} bytes, but mappedFileSizeCommitLog is ${this.segmentSize}: set it to the size the files have`,
        );
      }
      const expected = index === 0 ? start : starts[index - 1] + this.segmentSize;
      if (start !== expected) {
        throw new Error(`${this.directory}: segment ${segmentName(expected)} is missing before ${segmentName(start)}`);
      }
      this.#starts.push(start);
    }
    // A process that was killed may have created a segment without making its name durable.
    if (crashed && starts.length > 0) await this.#disk.syncDirectory(this.directory);
  }

  get starts(): readonly number[] {
    return this.#starts;
  }

  /** First offset that is on disk; 0 for an empty log. */
  get minOffset(): number {
    return this.#starts[0] ?? 0;
  }

  /** The start of the segment that holds `offset`. */
  startOf(offset: number): number {
    return offset - (offset % this.segmentSize);
  }

  has(offset: number): boolean {
    const start = this.startOf(offset);
    return this.#starts.length > 0 && start >= this.#starts[0] && start <= this.#starts[this.#starts.length - 1];
  }

  pathOf(start: number): string {
    return `${this.directory}/${segmentName(start)}`;
  }

  /** The open segment that holds `offset`, created when it is the next one. */
  file(offset: number): Promise<File> {
    const start = this.startOf(offset);
    const known = this.#open.get(start);
    if (known !== undefined) {
      // Moved to the end only when others could push it out.
      if (this.#open.size === openFilesMax) {
        this.#open.delete(start);
        this.#open.set(start, known);
      }
      return known;
    }
    const opening = this.#openFile(start);
    this.#open.set(start, opening);
    opening.catch(() => {
      if (this.#open.get(start) === opening) this.#open.delete(start);
    });
    if (this.#open.size > openFilesMax) this.#closeOldest();
    return opening;
  }

  async #openFile(start: number): Promise<File> {
    // A reader may come for a segment that has just been deleted: it must not be made again.
    if (start < this.minOffset) throw new DiskError('ENOENT', 'open', this.pathOf(start));
    const { file } = await openSegment(this.#disk, this.directory, start, this.segmentSize);
    const last = this.#starts[this.#starts.length - 1];
    if (last !== undefined && start <= last) return file;
    assert(last === undefined || start === last + this.segmentSize, 'segments are created one after the other');
    // Not only when this call made it: an attempt before may have failed half-way.
    try {
      await file.syncData();
      await this.#disk.syncDirectory(this.directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#starts.push(start);
    return file;
  }

  #closeOldest(): void {
    for (const [start, opening] of this.#open) {
      this.#open.delete(start);
      // A write or read that holds the file settles first (io: File.close).
      opening.then((file) => file.close()).catch(() => {});
      return;
    }
  }

  /** Forgets the open file, so that the next use opens it anew: a poisoned descriptor must not be used on. */
  async reopen(offset: number): Promise<File> {
    const start = this.startOf(offset);
    const known = this.#open.get(start);
    this.#open.delete(start);
    if (known !== undefined) await known.then((file) => file.close()).catch(() => {});
    return this.file(offset);
  }

  /** Removes the first segment. */
  async removeFirst(): Promise<void> {
    assert(this.#starts.length > 1, 'the last segment is never removed');
    const start = this.#starts[0];
    await this.#remove(start);
    this.#starts.shift();
  }

  /** Removes the last segment; recovery cuts the log back by it. */
  async removeLast(): Promise<void> {
    const start = this.#starts[this.#starts.length - 1];
    await this.#remove(start);
    this.#starts.pop();
  }

  async #remove(start: number): Promise<void> {
    const known = this.#open.get(start);
    this.#open.delete(start);
    if (known !== undefined) await known.then((file) => file.close()).catch(() => {});
    await this.#disk.remove(this.pathOf(start));
  }

  async close(): Promise<void> {
    const closing = [...this.#open.values()].map((opening) => opening.then((file) => file.close()));
    this.#open.clear();
    await Promise.allSettled(closing);
  }
}
