import { assert } from '../common/mod.ts';
import type { CommitLog } from './commit-log.ts';
import type { QueueUnit } from './consume-queue.ts';
import { unitSize } from './consume-queue.ts';
import { LogBlocks } from './log-blocks.ts';
import type { LogFiles } from './log-files.ts';
import type { LogTail, TailSlice } from './log-tail.ts';
import type { Get, GetResult, GetStatus } from './message-store.ts';
import type { Queues } from './queues.ts';
import type { StoreConfig } from './store-config.ts';

/**
 * Pulls. What is in memory, entries and records, is given at once and without copying; the first thing that is not
 * makes the pull start over asynchronously (RocketMQ: DefaultMessageStore.getMessage, for statuses and limits).
 */
export interface MessageReaderParts {
  queues: Queues;
  log: CommitLog;
  files: LogFiles;
  tail: LogTail;
  config: StoreConfig;
  memoryTotalBytes: number;
}

/** Entries that are read from a queue's file at once. */
const coldUnitsCount = 256;
/** Records in the file that lie this near are read as one. */
const nearBytes = 4096;
const coldReadSizeMax = 1 << 20;

interface Collected {
  status: GetStatus;
  nextOffset: number;
  messageCount: number;
  sizeBytes: number;
  lastPhysicalOffset: number;
}

export class MessageReader {
  readonly #parts: MessageReaderParts;
  readonly #blocks: LogBlocks;

  constructor(parts: MessageReaderParts) {
    this.#parts = parts;
    this.#blocks = new LogBlocks(parts.files, () => parts.log.durableOffset);
  }

  get(query: Get): GetResult | Promise<GetResult> {
    const { table } = this.#parts.queues;
    const queue = table.find(query.topic, query.queueId);
    const { offset } = query;
    if (queue < 0) return nothing('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0);
    const min = table.minUnit[queue];
    const max = table.visible[queue];
    if (max === 0) return nothing('NO_MESSAGE_IN_QUEUE', 0, min, max);
    if (offset < min) return nothing('OFFSET_TOO_SMALL', min, min, max);
    if (offset === max) return nothing('OFFSET_OVERFLOW_ONE', offset, min, max);
    if (offset > max) return nothing('OFFSET_OVERFLOW_BADLY', max, min, max);
    return this.#fromMemory(query, queue, min, max) ?? this.#fromFiles(query, queue, min, max);
  }

  /** Messages within this many bytes behind the log's end count as recent. */
  get memoryBytes(): number {
    return (this.#parts.memoryTotalBytes * this.#parts.config.accessMessageInMemoryMaxRatio) / 100;
  }

  #scanEnd(query: Get, max: number): number {
    const units = Math.ceil(Math.max(this.#parts.config.maxFilterMessageSize, query.maxMessages * unitSize) / unitSize);
    return Math.min(max, query.offset + units);
  }

  /** Whether the next record does not fit any more: count and bytes depend on whether it is recent. */
  #isFull(query: Get, collected: Collected, physicalOffset: number, sizeBytes: number, memoryFrom: number): boolean {
    if (collected.messageCount === 0) return false;
    if (collected.messageCount + 1 > query.maxMessages) return true;
    const { config } = this.#parts;
    const recent = physicalOffset >= memoryFrom;
    const bytesMax = recent ? config.maxTransferBytesOnMessageInMemory : config.maxTransferBytesOnMessageInDisk;
    const countMax = recent ? config.maxTransferCountOnMessageInMemory : config.maxTransferCountOnMessageInDisk;
    return collected.sizeBytes + sizeBytes > bytesMax || collected.messageCount > countMax - 1;
  }

  /** Undefined when something is not in memory. */
  #fromMemory(query: Get, queue: number, min: number, max: number): GetResult | undefined {
    const { queues, tail, log } = this.#parts;
    const { pages } = queues;
    const { accepts } = query;
    const end = this.#scanEnd(query, max);
    const memoryFrom = log.end - this.memoryBytes;
    const collected = newCollected(query.offset);
    const slices: TailSlice[] = [];
    /** Of the tail's slices only the place: they may yet grow. */
    const places: (TailSlice | Uint8Array)[] = [];
    let last: TailSlice | undefined;
    for (let unit = query.offset; unit < end; unit++) {
      if (!pages.read(queue, unit)) return this.#giveUp(slices);
      const { physicalOffset, sizeBytes } = pages;
      // A blank unit.
      if (sizeBytes === 0) return this.#giveUp(slices);
      if (this.#isFull(query, collected, physicalOffset, sizeBytes, memoryFrom)) break;
      collected.nextOffset = unit + 1;
      collected.lastPhysicalOffset = physicalOffset;
      if (accepts !== undefined && !accepts(pages.tagsCode)) continue;
      if (last === undefined || !tail.extend(last, physicalOffset, sizeBytes)) {
        last = tail.pin(physicalOffset, sizeBytes);
        const place = last ?? this.#blocks.resident(physicalOffset, sizeBytes);
        if (place === undefined) return this.#giveUp(slices);
        if (last !== undefined) slices.push(last);
        places.push(place);
      }
      collected.messageCount += 1;
      collected.sizeBytes += sizeBytes;
    }
    if (collected.messageCount > 0) collected.status = 'FOUND';
    const chunks = places.map((place) => (place instanceof Uint8Array ? place : tail.bytesOf(place)));
    return this.#result(collected, min, max, chunks, () => {
      for (const slice of slices) tail.release(slice);
    });
  }

  #giveUp(slices: readonly TailSlice[]): undefined {
    for (const slice of slices) this.#parts.tail.release(slice);
    return undefined;
  }

  async #fromFiles(query: Get, queue: number, min: number, max: number): Promise<GetResult> {
    const { log, files, queues } = this.#parts;
    const topic = queues.table.topicOf(queue);
    const end = this.#scanEnd(query, max);
    const memoryFrom = log.end - this.memoryBytes;
    const collected = newCollected(query.offset);
    const wanted: QueueUnit[] = [];
    for (let unit = query.offset, full = false; unit < end && !full; ) {
      const units = await this.#units(queue, unit, end - unit);
      if (!queues.table.has(queue) || queues.table.topicOf(queue) !== topic) {
        return nothing('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0);
      }
      if (units.length === 0 && queues.files.isPoisoned) {
        if (wanted.length === 0) throw lostEntries(query, unit);
        break;
      }
      if (units.length === 0) {
        collected.status = 'OFFSET_FOUND_NULL';
        const { unitsPerFile } = queues.files;
        collected.nextOffset = Math.min(max, (Math.floor(unit / unitsPerFile) + 1) * unitsPerFile);
        break;
      }
      for (const found of units) {
        full = this.#isFull(query, collected, found.physicalOffset, found.sizeBytes, memoryFrom);
        if (full) break;
        unit += 1;
        collected.nextOffset = unit;
        // A blank unit, or a record that has aged out of the log.
        if (found.sizeBytes === 0 || found.physicalOffset < files.minOffset) {
          if (wanted.length === 0) collected.status = 'MESSAGE_WAS_REMOVING';
          continue;
        }
        collected.lastPhysicalOffset = found.physicalOffset;
        if (query.accepts !== undefined && !query.accepts(found.tagsCode)) {
          if (wanted.length === 0) collected.status = 'NO_MATCHED_MESSAGE';
          continue;
        }
        wanted.push(found);
        collected.messageCount += 1;
        collected.sizeBytes += found.sizeBytes;
      }
    }
    const chunks = await this.#records(wanted);
    if (chunks === undefined) {
      collected.status = 'MESSAGE_WAS_REMOVING';
      collected.messageCount = 0;
      collected.sizeBytes = 0;
    } else if (wanted.length > 0) {
      collected.status = 'FOUND';
    }
    return this.#result(collected, min, max, chunks ?? [], () => {});
  }

  /** From memory as far as they are there, otherwise a stretch of the file; after a failed sync up to a blank, which may be a loss. */
  async #units(queue: number, unit: number, count: number): Promise<QueueUnit[]> {
    const { queues } = this.#parts;
    const { pages } = queues;
    const units: QueueUnit[] = [];
    for (let i = 0; i < Math.min(count, coldUnitsCount) && pages.read(queue, unit + i); i++) {
      units.push({ physicalOffset: pages.physicalOffset, sizeBytes: pages.sizeBytes, tagsCode: pages.tagsCode });
    }
    if (units.length > 0) return units;
    const inFile = queues.table.fileUnits[queue] - unit;
    const found = await queues.readFile(queue, unit, Math.min(count, coldUnitsCount, inFile));
    const firstBlank = queues.files.isPoisoned ? found.findIndex(({ sizeBytes }) => sizeBytes === 0) : -1;
    return firstBlank < 0 ? found : found.slice(0, firstBlank);
  }

  /** The records' bytes; undefined when the log lost them meanwhile. */
  async #records(units: readonly QueueUnit[]): Promise<Uint8Array[] | undefined> {
    try {
      await this.#blocks.prepare(units.map(({ physicalOffset }) => physicalOffset));
      return (await Promise.all(this.#reads(units))).flat();
    } catch (error) {
      if (units.some(({ physicalOffset }) => physicalOffset < this.#parts.files.minOffset)) return undefined;
      throw error;
    }
  }

  /** What is in no block is read alone, near ones together. */
  #reads(units: readonly QueueUnit[]): (Uint8Array | Promise<Uint8Array[]>)[] {
    const reads: (Uint8Array | Promise<Uint8Array[]>)[] = [];
    for (let i = 0; i < units.length; ) {
      const from = units[i].physicalOffset;
      const bytes = this.#blocks.resident(from, units[i].sizeBytes);
      if (bytes !== undefined) {
        reads.push(bytes);
        i += 1;
        continue;
      }
      let to = from + units[i].sizeBytes;
      let next = i + 1;
      while (next < units.length && this.#isNear(from, to, units[next])) {
        to = units[next].physicalOffset + units[next].sizeBytes;
        next += 1;
      }
      reads.push(this.#stretch(units.slice(i, next), from, to));
      i = next;
    }
    return reads;
  }

  #isNear(from: number, to: number, unit: QueueUnit): boolean {
    const gap = unit.physicalOffset - to;
    if (gap < 0 || gap > nearBytes) return false;
    const { files } = this.#parts;
    const end = unit.physicalOffset + unit.sizeBytes;
    return end - from <= coldReadSizeMax && files.startOf(from) === files.startOf(unit.physicalOffset);
  }

  async #stretch(units: readonly QueueUnit[], from: number, to: number): Promise<Uint8Array[]> {
    const bytes = await this.bytesAt(from, to - from);
    return units.map(({ physicalOffset, sizeBytes }) =>
      bytes.subarray(physicalOffset - from, physicalOffset - from + sizeBytes),
    );
  }

  /** A copy of the log's bytes, from memory or file; all of them lie in one segment. */
  async bytesAt(offset: number, length: number): Promise<Uint8Array> {
    const { tail, files } = this.#parts;
    const slice = tail.pin(offset, length);
    if (slice !== undefined) {
      const bytes = tail.bytesOf(slice).slice();
      tail.release(slice);
      return bytes;
    }
    const file = await files.file(offset);
    const bytes = new Uint8Array(length);
    const got = await file.read(bytes, 0, length, offset % files.segmentSize);
    assert(got === length, 'a segment has its full size');
    return bytes;
  }

  #result(collected: Collected, min: number, max: number, chunks: Uint8Array[], release: () => void): GetResult {
    const behind = this.#parts.log.end - collected.lastPhysicalOffset;
    return {
      status: collected.status,
      nextOffset: collected.nextOffset,
      minOffset: min,
      maxOffset: max,
      messageCount: collected.messageCount,
      sizeBytes: collected.sizeBytes,
      chunks,
      behindMemory: behind > this.memoryBytes,
      release,
    };
  }
}

function newCollected(offset: number): Collected {
  return { status: 'NO_MATCHED_MESSAGE', nextOffset: offset, messageCount: 0, sizeBytes: 0, lastPhysicalOffset: 0 };
}

function nothing(status: GetStatus, nextOffset: number, minOffset: number, maxOffset: number): GetResult {
  return {
    status,
    nextOffset,
    minOffset,
    maxOffset,
    messageCount: 0,
    sizeBytes: 0,
    chunks: [],
    behindMemory: false,
    release: () => {},
  };
}

/** A sync failed, and the disk dropped what it had not written: to go on behind it would be to skip messages. */
function lostEntries({ topic, queueId }: Get, unit: number): Error {
  return new Error(
    `the file of ${topic}/${queueId} lost its entry ${unit} with a failed sync: restart the broker, which builds it again`,
  );
}
