import { assert, readI64Big, writeI64 } from '../common/mod.ts';
import { type Disk, DiskError, type File } from '../io/mod.ts';
import { listSegments, openSegment, segmentName } from './segment-file.ts';

/**
 * The files of the consume queues: `consumequeue/<topic>/<queueId>/<byte offset in 20 digits>`, full-size and sparse.
 * Unit n of a queue lies at byte n × 20:
 *
 *      0  i64  physical offset of the record; 0 in a blank unit
 *      8  i32  size of the record; 0 where nothing was written, 0x7FFFFFFF in a blank unit
 *     12  i64  tags code
 *
 * Blank units fill the file up to where a queue starts that does not start at 0.
 */
export const unitSize = 20;
const blankUnitSize = 0x7fff_ffff;

export interface QueueUnit {
  physicalOffset: number;
  sizeBytes: number;
  tagsCode: number;
}

/** `sizeBytes` 0 writes a blank unit. */
export function writeUnit(target: Uint8Array, at: number, physicalOffset: number, sizeBytes: number, tagsCode: number) {
  writeI64(target, at, physicalOffset);
  const size = sizeBytes === 0 ? blankUnitSize : sizeBytes;
  target[at + 8] = size >> 24;
  target[at + 9] = size >> 16;
  target[at + 10] = size >> 8;
  target[at + 11] = size;
  writeI64(target, at + 12, tagsCode);
}

/** Undefined where no message's unit was written: zeros, a blank unit, or garbage. */
export function readUnit(bytes: Uint8Array, at: number): QueueUnit | undefined {
  const sizeBytes = (bytes[at + 8] << 24) | (bytes[at + 9] << 16) | (bytes[at + 10] << 8) | bytes[at + 11];
  const physicalOffset = Number(readI64Big(bytes, at));
  if (sizeBytes <= 0 || sizeBytes === blankUnitSize || !(physicalOffset >= 0)) return undefined;
  if (!Number.isSafeInteger(physicalOffset)) return undefined;
  return { physicalOffset, sizeBytes, tagsCode: Number(readI64Big(bytes, at + 12)) };
}

/** One that fills a file up to where its queue starts; not a unit of which a part was written. */
export function isBlankUnit(bytes: Uint8Array, at: number): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, unitSize).equals(blankUnit);
}

const blankUnit = new Uint8Array(unitSize);
writeUnit(blankUnit, 0, 0, 0, 0);

export class QueueFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #openMax: number;
  readonly #fileSize: number;
  /** By path; the one used last at the end. */
  readonly #open = new Map<string, Promise<File>>();
  /** Written since their last sync. */
  readonly #unsynced = new Set<string>();
  /** Directories with entries that were not synced. */
  readonly #newEntries = new Set<string>();
  #closed = false;
  #isPoisoned = false;

  /** `fileSize` (`mappedFileSizeConsumeQueue`) is rounded up to whole units, as RocketMQ does. */
  constructor(disk: Disk, directory: string, options: { fileSize: number; openMax: number }) {
    this.#disk = disk;
    this.#directory = directory;
    this.#fileSize = Math.ceil(options.fileSize / unitSize) * unitSize;
    this.#openMax = options.openMax;
  }

  /** A sync failed: what it should have brought to the disk may be lost, and no later sync will tell. */
  get isPoisoned(): boolean {
    return this.#isPoisoned;
  }

  /** Files written since their last sync. */
  get unsyncedCount(): number {
    return this.#unsynced.size;
  }

  get unitsPerFile(): number {
    return this.#fileSize / unitSize;
  }

  directoryOf(topic: string, queueId: number): string {
    return `${this.#directory}/${topic}/${queueId}`;
  }

  /** Whether a topic's name begins so. */
  async hasTopicLike(prefix: string): Promise<boolean> {
    return (await this.#directories(this.#directory)).some((topic) => topic.startsWith(prefix));
  }

  /** Topics and their queue ids, as the directories say. */
  async list(): Promise<{ topic: string; queueIds: number[] }[]> {
    const found: { topic: string; queueIds: number[] }[] = [];
    for (const topic of await this.#directories(this.#directory)) {
      const names = await this.#directories(`${this.#directory}/${topic}`);
      found.push({ topic, queueIds: names.filter((name) => /^\d{1,9}$/.test(name)).map(Number) });
    }
    return found;
  }

  /** A process that was killed may have created files without making their names durable: the next sync does. */
  distrustNames(topic: string, queueIds: readonly number[]): void {
    this.#newEntries.add(this.#directory).add(`${this.#directory}/${topic}`);
    for (const queueId of queueIds) this.#newEntries.add(this.directoryOf(topic, queueId));
  }

  async #directories(path: string): Promise<string[]> {
    try {
      const entries = await this.#disk.list(path);
      return entries.filter((entry) => entry.kind === 'directory').map((entry) => entry.name);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  /** First units of the queue's files, ascending. */
  async fileStarts(topic: string, queueId: number): Promise<number[]> {
    const starts = await listSegments(this.#disk, this.directoryOf(topic, queueId));
    return starts.map((start) => start / unitSize);
  }

  /** Up to `count` units from `unit` on, as bytes; none beyond the file that holds `unit`, none when it is absent. */
  async read(topic: string, queueId: number, unit: number, count: number): Promise<Uint8Array> {
    const fileStart = this.#fileStart(unit);
    const wanted = Math.min(count, fileStart + this.unitsPerFile - unit) * unitSize;
    const bytes = new Uint8Array(wanted);
    const path = this.#path(topic, queueId, fileStart);
    try {
      const existing = () => this.#disk.open(path, 'write');
      const got = await this.#use(path, existing, (file) => file.read(bytes, 0, wanted, (unit - fileStart) * unitSize));
      return bytes.subarray(0, got - (got % unitSize));
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return new Uint8Array(0);
      throw error;
    }
  }

  /** Writes whole units from `unit` on; they are safe after `sync`. */
  async write(topic: string, queueId: number, unit: number, bytes: Uint8Array): Promise<void> {
    assert(bytes.length % unitSize === 0, 'a queue is written in whole units');
    for (let done = 0; done < bytes.length; ) {
      const at = unit + done / unitSize;
      const fileStart = this.#fileStart(at);
      const length = Math.min(bytes.length - done, (fileStart + this.unitsPerFile - at) * unitSize);
      const path = this.#path(topic, queueId, fileStart);
      const from = done;
      const create = () => this.#create(topic, queueId, fileStart);
      await this.#use(path, create, (file) => {
        this.#unsynced.add(path);
        return file.write(bytes, from, length, (at - fileStart) * unitSize);
      });
      done += length;
    }
  }

  async #create(topic: string, queueId: number, fileStart: number): Promise<File> {
    const directory = this.directoryOf(topic, queueId);
    await this.#disk.makeDirectory(directory);
    const { file, created } = await openSegment(this.#disk, directory, fileStart * unitSize, this.#fileSize);
    if (created) {
      this.#newEntries.add(directory);
      this.#newEntries.add(`${this.#directory}/${topic}`);
      this.#newEntries.add(this.#directory);
    }
    return file;
  }

  /** Marks the units of the first file below `unit`, where the queue starts, as blank: a Java broker skips them. */
  async markStart(topic: string, queueId: number, unit: number): Promise<void> {
    const fileStart = this.#fileStart(unit);
    const bytes = new Uint8Array((unit - fileStart) * unitSize);
    for (let at = 0; at < bytes.length; at += unitSize) writeUnit(bytes, at, 0, 0, 0);
    if (bytes.length > 0) await this.write(topic, queueId, fileStart, bytes);
  }

  /** Overwrites units `[unit, end)` of existing files with zeros, and removes files that begin at or after `unit`. */
  async cut(topic: string, queueId: number, unit: number, end: number): Promise<void> {
    for (const fileStart of await this.fileStarts(topic, queueId)) {
      if (fileStart >= unit && fileStart > 0) {
        await this.#remove(this.#path(topic, queueId, fileStart));
        continue;
      }
      const from = Math.max(unit, fileStart);
      const to = Math.min(end, fileStart + this.unitsPerFile);
      if (from < to) await this.write(topic, queueId, from, new Uint8Array((to - from) * unitSize));
    }
  }

  /** Removes files all of whose units lie below `unit`. */
  async removeBelow(topic: string, queueId: number, unit: number): Promise<number> {
    let removed = 0;
    for (const fileStart of await this.fileStarts(topic, queueId)) {
      if (fileStart + this.unitsPerFile > unit) break;
      await this.#remove(this.#path(topic, queueId, fileStart));
      removed += 1;
    }
    return removed;
  }

  async #remove(path: string): Promise<void> {
    const known = this.#open.get(path);
    this.#open.delete(path);
    this.#unsynced.delete(path);
    if (known !== undefined) await known.then((file) => file.close()).catch(() => {});
    await this.#disk.remove(path);
  }

  async removeTopic(topic: string): Promise<void> {
    const directory = `${this.#directory}/${topic}/`;
    for (const path of [...this.#open.keys()]) {
      if (!path.startsWith(directory)) continue;
      const known = this.#open.get(path);
      this.#open.delete(path);
      this.#unsynced.delete(path);
      if (known !== undefined) await known.then((file) => file.close()).catch(() => {});
    }
    for (const path of [...this.#newEntries]) if (`${path}/`.startsWith(directory)) this.#newEntries.delete(path);
    await this.#disk.removeTree(`${this.#directory}/${topic}`);
  }

  /**
   * Syncs all that was written before the call, and the directories of new files; writes may go on meanwhile. False
   * when `mayGoOn` forbade to finish. After a rejection what was written since the last success may be lost: the caller must not let a checkpoint pass it.
   */
  async sync(mayGoOn: () => boolean): Promise<boolean> {
    await eachOf([...this.#unsynced], syncsAtOnceMax, async (path) => {
      if (mayGoOn()) await unlessRemoved(() => this.#syncFile(path));
    });
    await eachOf([...this.#newEntries], syncsAtOnceMax, async (directory) => {
      if (mayGoOn()) await unlessRemoved(() => this.#syncDirectory(directory));
    });
    return mayGoOn();
  }

  #syncFile(path: string): Promise<void> {
    const existing = () => this.#disk.open(path, 'write');
    return this.#use(path, existing, (file) => {
      // What is written from here on counts for the next sync.
      this.#unsynced.delete(path);
      return this.#orPoison(file.syncData());
    });
  }

  async #orPoison(sync: Promise<void>): Promise<void> {
    try {
      await sync;
    } catch (error) {
      this.#isPoisoned = true;
      throw error;
    }
  }

  async #syncDirectory(directory: string): Promise<void> {
    this.#newEntries.delete(directory);
    await this.#orPoison(this.#disk.syncDirectory(directory));
  }

  #fileStart(unit: number): number {
    return unit - (unit % this.unitsPerFile);
  }

  #path(topic: string, queueId: number, fileStart: number): string {
    return `${this.directoryOf(topic, queueId)}/${segmentName(fileStart * unitSize)}`;
  }

  /** Calls `work` with the open file; again when the file was closed under it, to make room for others. */
  async #use<T>(path: string, open: () => Promise<File>, work: (file: File) => Promise<T>): Promise<T> {
    for (;;) {
      const file = await (this.#open.get(path) ?? this.#remember(path, open()));
      try {
        return await work(file);
      } catch (error) {
        if (!(error instanceof DiskError) || error.code !== 'ECLOSED' || this.#closed) throw error;
      }
    }
  }

  async #remember(path: string, opening: Promise<File>): Promise<File> {
    this.#open.set(path, opening);
    opening.catch(() => {
      if (this.#open.get(path) === opening) this.#open.delete(path);
    });
    while (this.#open.size > this.#openMax) await this.#closeOldest();
    return opening;
  }

  /**
   * A file may go before its sync, which opens it again: the kernel tells a failed write-back to the next one who asks,
   * whichever descriptor was written.
   */
  async #closeOldest(): Promise<void> {
    for (const [path, opening] of this.#open) {
      this.#open.delete(path);
      const file = await opening.catch(() => undefined);
      await file?.close();
      return;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closing = [...this.#open.values()].map((opening) => opening.then((file) => file.close()));
    this.#open.clear();
    await Promise.allSettled(closing);
  }
}

/** Of libuv's few threads, the most that background syncs and writes may hold. */
export const syncsAtOnceMax = 2;

/** Runs `work` for each item, so many at once; rejects with the first failure, once none is under way. */
export async function eachOf<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const runners = Array.from({ length: Math.min(atOnceMax, items.length) }, async () => {
    while (next < items.length && !failed) {
      try {
        await work(items[next++]);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  });
  const failure = (await Promise.allSettled(runners)).find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

/** A topic may be deleted, and a file age out, while its turn is waited for. */
async function unlessRemoved(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error;
  }
}
