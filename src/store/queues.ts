import { assert } from '../common/mod.ts';
import type { Log } from '../io/mod.ts';
import { isStorableTopicName } from '../message/mod.ts';
import {
  eachOf,
  isBlankUnit,
  type QueueFiles,
  type QueueUnit,
  readUnit,
  syncsAtOnceMax,
  unitSize,
  writeUnit,
} from './consume-queue.ts';
import type { QueuePages } from './queue-pages.ts';
import type { QueueTable } from './queue-table.ts';

/**
 * The consume queues: rows (queue-table.ts), entries in memory (queue-pages.ts) and files (consume-queue.ts). Entries
 * are written by runs, queue after queue, in the background; only those that consumers may read, so that a file never
 * knows more than the log.
 */
const writeUnitsMax = 2048;

export class Queues {
  readonly table: QueueTable;
  readonly pages: QueuePages;
  readonly files: QueueFiles;
  /** Queues with entries that are not in their files. */
  #dirty: number[] = [];
  /** For the entries of one write; as many as writes go on at once, since new ones each time keep the collector busy. */
  readonly #buffers: Uint8Array[] = [];

  constructor(table: QueueTable, pages: QueuePages, files: QueueFiles) {
    this.table = table;
    this.pages = pages;
    this.files = files;
  }

  markDirty(queue: number): void {
    if (this.table.dirty[queue] === 1) return;
    this.table.dirty[queue] = 1;
    this.#dirty.push(queue);
  }

  get dirtyCount(): number {
    return this.#dirty.length;
  }

  /**
   * Writes what is readable of every dirty queue; no topic may be removed meanwhile. Rejects with DiskError; what was not
   * written stays dirty.
   */
  async write(): Promise<void> {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const queue of dirty) this.table.dirty[queue] = 0;
    try {
      await eachOf(dirty, syncsAtOnceMax, (queue) => this.#writeQueue(queue));
    } catch (error) {
      for (const queue of dirty) if (this.#isBehind(queue)) this.markDirty(queue);
      throw error;
    }
  }

  #isBehind(queue: number): boolean {
    return this.table.has(queue) && this.table.fileUnits[queue] < this.table.visible[queue];
  }

  async #writeQueue(queue: number): Promise<void> {
    const bytes = this.#buffers.pop() ?? new Uint8Array(writeUnitsMax * unitSize);
    try {
      while (this.#isBehind(queue)) {
        const from = this.table.fileUnits[queue];
        const count = Math.min(this.table.visible[queue] - from, writeUnitsMax);
        for (let i = 0; i < count; i++) {
          assert(this.pages.read(queue, from + i), 'an entry stays in memory until it is written');
          writeUnit(bytes, i * unitSize, this.pages.physicalOffset, this.pages.sizeBytes, this.pages.tagsCode);
        }
        const { name } = this.table.topicOf(queue);
        await this.files.write(name, this.table.queueIds[queue], from, bytes.subarray(0, count * unitSize));
        this.table.fileUnits[queue] = from + count;
      }
    } finally {
      this.#buffers.push(bytes);
    }
  }

  /** Removes the topic's rows, entries and files. Not while `write` is under way. */
  async removeTopic(name: string): Promise<void> {
    const topic = this.table.topic(name);
    if (topic === undefined) return;
    this.pages.drop(new Set(topic.queues.values()));
    this.#dirty = this.#dirty.filter((queue) => this.table.topicOf(queue) !== topic);
    this.table.removeTopic(topic);
    await this.files.removeTopic(name);
  }

  /** Units `[unit, unit + count)` from the files, as far as they are there and whole. */
  async readFile(queue: number, unit: number, count: number): Promise<QueueUnit[]> {
    const { name } = this.table.topicOf(queue);
    const bytes = await this.files.read(name, this.table.queueIds[queue], unit, count);
    const units: QueueUnit[] = [];
    for (let at = 0; at < bytes.length; at += unitSize) {
      const found = readUnit(bytes, at);
      units.push(found ?? { physicalOffset: 0, sizeBytes: 0, tagsCode: 0 });
    }
    return units;
  }

  /** One unit, from memory or file; undefined when it is not there. */
  async unitAt(queue: number, unit: number): Promise<QueueUnit | undefined> {
    if (this.pages.read(queue, unit)) {
      const { physicalOffset, sizeBytes, tagsCode } = this.pages;
      return sizeBytes === 0 ? undefined : { physicalOffset, sizeBytes, tagsCode };
    }
    const [found] = await this.readFile(queue, unit, 1);
    return found === undefined || found.sizeBytes === 0 ? undefined : found;
  }

  /** The first unit in `[low, high)` whose record lies at or beyond `physicalOffset`; `high` when none does. */
  async firstAtOrBeyond(queue: number, physicalOffset: number, low: number, high: number): Promise<number> {
    let from = low;
    let to = high;
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const unit = await this.unitAt(queue, middle);
      if (unit === undefined || unit.physicalOffset < physicalOffset) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /**
   * Makes rows of the queues on disk, and cuts off units of records at or beyond `physicalOffset`. Gives the sum of
   * the units that stay, the end of the last record that a unit knows, whether no file is missing between others, and of
   * queues that lost all their units where their first message was, by `topic/queueId`.
   */
  async load(
    physicalOffset: number,
    crashed: boolean,
    log: Log,
  ): Promise<{ units: number; physicalEnd: number; whole: boolean; births: Map<string, number> }> {
    const births = new Map<string, number>();
    let units = 0;
    let whole = true;
    let physicalEnd = 0;
    for (const { topic, queueIds } of await this.files.list()) {
      if (!isStorableTopicName(topic)) {
        log.warn('store.queue.name', { topic }, 'a directory below consumequeue is no topic, and is left alone');
        continue;
      }
      if (crashed) this.files.distrustNames(topic, queueIds);
      for (const queueId of queueIds) {
        const found = await this.#loadQueue(topic, queueId, physicalOffset);
        units += found.end;
        whole &&= found.whole;
        physicalEnd = Math.max(physicalEnd, found.physicalEnd);
        if (found.birth !== undefined) births.set(`${topic}/${queueId}`, found.birth);
      }
    }
    return { units, physicalEnd, whole, births };
  }

  async #loadQueue(topic: string, queueId: number, physicalOffset: number) {
    const starts = await this.files.fileStarts(topic, queueId);
    const queue = this.table.findOrAdd(topic, queueId);
    const first = starts[0] ?? 0;
    let end = first;
    let physicalEnd = 0;
    let birth: number | undefined;
    for (let i = starts.length - 1; i >= 0; i--) {
      end = await this.#endInFile(topic, queueId, starts[i], physicalOffset);
      if (end > starts[i]) break;
    }
    if (end > first) {
      const [last] = await this.#units(topic, queueId, end - 1, 1);
      physicalEnd = last === undefined ? 0 : last.physicalOffset + last.sizeBytes;
    } else if (first === 0) {
      birth = (await this.#units(topic, queueId, 0, 1))[0]?.physicalOffset;
    }
    this.table.minUnit[queue] = first;
    this.table.fileUnits[queue] = end;
    this.table.visible[queue] = end;
    this.table.nextUnit[queue] = end;
    await this.#cutBehind(topic, queueId, end, starts);
    const whole = starts.every((start, i) => i === 0 || start === (starts[i - 1] ?? 0) + this.files.unitsPerFile);
    return { end, physicalEnd, whole, birth };
  }

  /**
   * The first unit of the file that is unwritten, or of a record at or beyond `physicalOffset`. Most queues are short:
   * the first look takes a stretch of the file, and halving begins behind it.
   */
  async #endInFile(topic: string, queueId: number, start: number, physicalOffset: number): Promise<number> {
    const fileEnd = start + this.files.unitsPerFile;
    const bytes = await this.files.read(topic, queueId, start, firstLookUnits);
    const looked = bytes.length / unitSize;
    let low = start;
    let high = looked < firstLookUnits || isBelow(bytes, looked - 1, physicalOffset) ? fileEnd : start + looked - 1;
    if (looked < firstLookUnits) high = Math.min(high, start + looked);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const at = middle - start;
      const below =
        at < looked
          ? isBelow(bytes, at, physicalOffset)
          : isBelow(await this.files.read(topic, queueId, middle, 1), 0, physicalOffset);
      if (below) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #units(topic: string, queueId: number, unit: number, count: number): Promise<(QueueUnit | undefined)[]> {
    const bytes = await this.files.read(topic, queueId, unit, count);
    return Array.from({ length: bytes.length / unitSize }, (_, index) => readUnit(bytes, index * unitSize));
  }

  /** What lies behind the end, of records that are no more or will be dispatched again, must not be taken for units. */
  async #cutBehind(topic: string, queueId: number, end: number, starts: readonly number[]): Promise<void> {
    const lastStart = starts[starts.length - 1];
    if (lastStart === undefined) return;
    let stale = end;
    for (;;) {
      const bytes = await this.files.read(topic, queueId, stale, cutLookUnits);
      let used = bytes.length;
      while (used > 0 && bytes[used - 1] === 0) used -= 1;
      stale += Math.ceil(used / unitSize);
      if (used < bytes.length || bytes.length === 0) break;
    }
    if (stale > end || lastStart >= Math.max(end, 1)) await this.files.cut(topic, queueId, end, stale);
  }
}

const cutLookUnits = 256;
const firstLookUnits = 256;

/** Whether a unit is blank, or its record lies below `physicalOffset`. */
function isBelow(units: Uint8Array, index: number, physicalOffset: number): boolean {
  const at = index * unitSize;
  if (at + unitSize > units.length) return false;
  const unit = readUnit(units, at);
  if (unit !== undefined) return unit.physicalOffset < physicalOffset;
  return isBlankUnit(units, at);
}
