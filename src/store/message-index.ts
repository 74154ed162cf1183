import { assert } from '../common/mod.ts';
import { type Disk, DiskError, type File, type Host } from '../io/mod.ts';
import {
  decodeEntry,
  decodeHeader,
  encodeEntry,
  encodeHeader,
  entryPosition,
  type IndexHeader,
  type IndexShape,
  indexEntrySize,
  indexFileName,
  indexFileSize,
  indexHeaderSize,
  indexKeyHash,
  indexSlotSize,
  slotPosition,
} from './index-file.ts';

/**
 * The index by key. A put only appends its key hashes to a staging list; the background write links them into the
 * chains of the newest file: the slots of that file are held in memory while it is written (20 MB, dropped when nothing
 * came for a while), entries go to the file first and are synced, slots and header follow, so that a crash at any
 * point leaves chains that end in whole entries.
 *
 * Queries look at what is staged, then walk the chains in the files, newest file first.
 */
export interface MessageIndexOptions {
  disk: Disk;
  host: Host;
  directory: string;
  shape: IndexShape;
  stagedMax: number;
}

interface IndexFile {
  path: string;
  file: File;
  header: IndexHeader;
}

/** Entries that are linked before other work gets its turn: some tenths of a millisecond. */
const linkSliceCount = 2_000;
/** Slots that are written as one stretch when one of them changed. */
const slotPageShift = 10;
/** Steps along one chain: a file of colliding keys must not hold up a query for ever. */
const chainLengthMax = 100_000;

export class MessageIndex {
  readonly #options: MessageIndexOptions;
  readonly #shape: IndexShape;
  readonly #files: IndexFile[] = [];
  /** Of the newest file; undefined until something is linked. */
  #slots: Int32Array | undefined;
  /** What is written at a time of entries and of slots. */
  #slice: Uint8Array | undefined;
  #stretch: Int32Array | undefined;
  #hashes: Int32Array;
  #physical: Float64Array;
  #timestamps: Float64Array;
  #stagedCount = 0;
  #isPoisoned = false;
  /** A file that could not be made ready: the next attempt takes it, so that failures do not fill the disk with files. */
  #unfinishedPath: string | undefined;
  #work: Promise<unknown> = Promise.resolve();
  lastTimestampMs = 0;
  lastPhysicalOffset = 0;

  constructor(options: MessageIndexOptions) {
    this.#options = options;
    this.#shape = options.shape;
    this.#hashes = new Int32Array(stagedAtFirst);
    this.#physical = new Float64Array(stagedAtFirst);
    this.#timestamps = new Float64Array(stagedAtFirst);
  }

  get stagedCount(): number {
    return this.#stagedCount;
  }

  /** A sync failed: what it should have brought to the disk may be lost, and no later sync will tell. */
  get isPoisoned(): boolean {
    return this.#isPoisoned;
  }

  hasRoom(count: number): boolean {
    return this.#stagedCount + count <= this.#options.stagedMax;
  }

  /** The key of a message that became durable; the caller goes along the log. */
  add(keyHash: number, physicalOffset: number, storeTimestampMs: number): void {
    const at = this.#stagedCount++;
    if (at === this.#hashes.length) this.#grow();
    this.#hashes[at] = keyHash;
    this.#physical[at] = physicalOffset;
    this.#timestamps[at] = storeTimestampMs;
    this.lastTimestampMs = storeTimestampMs;
    this.lastPhysicalOffset = physicalOffset;
  }

  #grow(): void {
    const length = this.#hashes.length * 2;
    const hashes = new Int32Array(length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const physical = new Float64Array(length);
    physical.set(this.#physical);
    this.#physical = physical;
    const timestamps = new Float64Array(length);
    timestamps.set(this.#timestamps);
    this.#timestamps = timestamps;
  }

  /**
   * Opens the files, and forgets whatever they hold of records at or beyond `physicalOffset`. After a clean stop the
   * headers are believed. Gives false when a file was torn, and removed: its keys must be built again.
   */
  async load(physicalOffset: number, clean: boolean): Promise<boolean> {
    let whole = true;
    // A process that was killed may have created a file without making its name durable.
    if (!clean) await this.#options.disk.syncDirectory(this.#options.directory);
    for (const name of await this.#names()) {
      const path = `${this.#options.directory}/${name}`;
      const file = await this.#options.disk.open(path, 'write');
      const entry: IndexFile = { path, file, header: emptyHeader() };
      const isWhole = (await file.sizeBytes()) === indexFileSize(this.#shape);
      const header = isWhole ? await readHeader(file, this.#shape) : undefined;
      if (header === undefined) {
        whole = false;
        await this.#removeFile(entry);
        continue;
      }
      entry.header = header;
      this.#files.push(entry);
    }
    while (this.#files.length > 0) {
      const newest = this.#files[this.#files.length - 1];
      if (clean && newest.header.endPhysicalOffset < physicalOffset && newest.header.entryCount > 1) break;
      if (await this.#cut(newest, physicalOffset)) break;
      this.#files.pop();
      await this.#removeFile(newest);
    }
    const newest = this.#files[this.#files.length - 1];
    this.lastTimestampMs = newest?.header.endTimestampMs ?? 0;
    this.lastPhysicalOffset = newest?.header.endPhysicalOffset ?? 0;
    return whole;
  }

  async #names(): Promise<string[]> {
    try {
      const entries = await this.#options.disk.list(this.#options.directory);
      return entries.filter(({ kind, name }) => kind === 'file' && /^\d{17}$/.test(name)).map(({ name }) => name);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  async #removeFile(entry: IndexFile): Promise<void> {
    await entry.file.close();
    await this.#options.disk.remove(entry.path);
  }

  /** Takes entries of records at or beyond `physicalOffset` out of the file; false when nothing would be left. */
  async #cut(entry: IndexFile, physicalOffset: number): Promise<boolean> {
    const slots = await readSlots(entry.file, this.#shape);
    const newest = this.#newest(slots, entry.header.entryCount - 1);
    const kept = await this.#countBelow(entry.file, newest, physicalOffset);
    if (kept === 1) return false;
    const changed = await this.#leadBack(entry.file, slots, kept, newest);
    const slotCount = slots.reduce((count, value) => count + (value > 0 ? 1 : 0), 0);
    const last = decodeEntry(await this.#readEntries(entry.file, kept - 1, 1), 0);
    const { header } = entry;
    if (!changed && header.entryCount === kept) return true;
    header.slotCount = slotCount;
    header.entryCount = kept;
    header.endPhysicalOffset = last.physicalOffset;
    header.endTimestampMs = Math.min(header.endTimestampMs, header.beginTimestampMs + last.seconds * 1000 + 999);
    await writeSlots(entry.file, slots, 0, slots.length, newStretch());
    await entry.file.write(encodeHeader(header), 0, indexHeaderSize, 0);
    // The entries themselves stay: nothing leads to them any more.
    await entry.file.syncData();
    return true;
  }

  /** The highest entry that a slot leads to, at least `known`. */
  #newest(slots: Int32Array, known: number): number {
    let newest = known;
    for (const value of slots) if (value > newest) newest = value;
    return Math.min(newest, this.#shape.entriesMax - 1);
  }

  /** Lets every slot lead to an entry below `kept`, over the entries up to `newest`; gives whether one changed. */
  async #leadBack(file: File, slots: Int32Array, kept: number, newest: number): Promise<boolean> {
    const removed = await this.#readEntries(file, kept, newest + 1 - kept);
    let changed = false;
    for (let slot = 0; slot < slots.length; slot++) {
      let value = slots[slot];
      while (value >= kept) {
        const at = (value - kept) * indexEntrySize;
        const previous = at < removed.length ? decodeEntry(removed, at).previous : 0;
        value = previous < value ? Math.max(0, previous) : 0;
        changed = true;
      }
      slots[slot] = value;
    }
    return changed;
  }

  /** The slots as the header knows them: a write that failed before its header may have left newer ones in the file. */
  async #readSlots({ file, header }: IndexFile): Promise<Int32Array> {
    const slots = await readSlots(file, this.#shape);
    const newest = this.#newest(slots, 0);
    if (newest >= header.entryCount) await this.#leadBack(file, slots, header.entryCount, newest);
    return slots;
  }

  /** The number of the first entry (from 1) at or beyond `physicalOffset`; entries follow the log. */
  async #countBelow(file: File, newest: number, physicalOffset: number): Promise<number> {
    let low = 1;
    let high = newest + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const entry = decodeEntry(await this.#readEntries(file, middle, 1), 0);
      if (entry.physicalOffset < physicalOffset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #readEntries(file: File, first: number, count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count * indexEntrySize);
    await file.read(bytes, 0, bytes.length, entryPosition(this.#shape, first));
    return bytes;
  }

  /** Writes all that is staged, synced. Rejects with DiskError: what was staged then still is, and comes with the next. */
  write(): Promise<void> {
    return this.#exclusively(() => this.#write());
  }

  async #write(): Promise<void> {
    let at = 0;
    const end = this.#stagedCount;
    try {
      while (at < end) {
        let target = this.#files[this.#files.length - 1];
        if (target === undefined || target.header.entryCount >= this.#shape.entriesMax)
          target = await this.#create(target);
        at = await this.#link(target, at, end);
      }
    } finally {
      this.#hashes.copyWithin(0, at, this.#stagedCount);
      this.#physical.copyWithin(0, at, this.#stagedCount);
      this.#timestamps.copyWithin(0, at, this.#stagedCount);
      this.#stagedCount -= at;
    }
  }

  async #create(previous: IndexFile | undefined): Promise<IndexFile> {
    const { disk, host, directory } = this.#options;
    await disk.makeDirectory(directory);
    let wallMs = Math.max(this.lastTimestampMs, 1);
    let path = this.#unfinishedPath;
    // Names sort by time and are unique.
    while (path === undefined || (previous !== undefined && path <= previous.path)) {
      path = `${directory}/${indexFileName(wallMs++, host.utcOffsetMinutes(wallMs))}`;
    }
    this.#unfinishedPath = path;
    const file = await disk.open(path, 'create');
    try {
      await file.truncate(0);
      await file.truncate(indexFileSize(this.#shape));
      await disk.syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    const header = emptyHeader();
    if (previous !== undefined) {
      header.beginTimestampMs = previous.header.endTimestampMs;
      header.endTimestampMs = previous.header.endTimestampMs;
      header.beginPhysicalOffset = previous.header.endPhysicalOffset;
      header.endPhysicalOffset = previous.header.endPhysicalOffset;
    }
    const created = { path, file, header };
    this.#unfinishedPath = undefined;
    this.#files.push(created);
    this.#slots = new Int32Array(this.#shape.slotsMax);
    return created;
  }

  /** Links staged entries into the file as far as it has room; gives how far it came. */
  async #link(target: IndexFile, from: number, end: number): Promise<number> {
    const { file } = target;
    this.#slots ??= await this.#readSlots(target);
    const slots = this.#slots;
    const header = { ...target.header };
    const dirty = new Uint8Array((this.#shape.slotsMax >> slotPageShift) + 1);
    this.#slice ??= new Uint8Array(linkSliceCount * indexEntrySize);
    const bytes = this.#slice;
    let at = from;
    try {
      while (at < end && header.entryCount < this.#shape.entriesMax) {
        const count = Math.min(end - at, linkSliceCount, this.#shape.entriesMax - header.entryCount);
        const first = header.entryCount;
        for (let i = 0; i < count; i++, at++) this.#linkOne(header, slots, dirty, bytes, i * indexEntrySize, at);
        await file.write(bytes, 0, count * indexEntrySize, entryPosition(this.#shape, first));
      }
      await this.#sync(file);
      this.#stretch ??= newStretch();
      await writeDirtySlots(file, slots, dirty, this.#stretch);
      await file.write(encodeHeader(header), 0, indexHeaderSize, 0);
      await this.#sync(file);
    } catch (error) {
      // The slots in memory know of entries that the file may not have.
      this.#slots = undefined;
      throw error;
    }
    target.header = header;
    return at;
  }

  async #sync(file: File): Promise<void> {
    try {
      await file.syncData();
    } catch (error) {
      this.#isPoisoned = true;
      throw error;
    }
  }

  #linkOne(
    header: IndexHeader,
    slots: Int32Array,
    dirty: Uint8Array,
    bytes: Uint8Array,
    at: number,
    staged: number,
  ): void {
    const keyHash = this.#hashes[staged];
    const timestampMs = this.#timestamps[staged];
    const physicalOffset = this.#physical[staged];
    const slot = keyHash % this.#shape.slotsMax;
    const previous = slots[slot];
    const passed = Math.trunc((timestampMs - header.beginTimestampMs) / 1000);
    const seconds = header.beginTimestampMs <= 0 ? 0 : Math.max(0, Math.min(passed, 0x7fff_ffff));
    encodeEntry(bytes, at, { keyHash, physicalOffset, seconds, previous });
    slots[slot] = header.entryCount;
    dirty[slot >> slotPageShift] = 1;
    if (header.entryCount <= 1) {
      header.beginPhysicalOffset = physicalOffset;
      header.beginTimestampMs = timestampMs;
    }
    if (previous === 0) header.slotCount += 1;
    header.entryCount += 1;
    header.endPhysicalOffset = physicalOffset;
    header.endTimestampMs = timestampMs;
  }

  /** Forgets all keys. */
  clear(): Promise<void> {
    return this.#exclusively(async () => {
      this.#stagedCount = 0;
      this.#slots = undefined;
      for (const entry of this.#files.splice(0)) await this.#removeFile(entry);
      for (const name of await this.#names()) await this.#options.disk.remove(`${this.#options.directory}/${name}`);
    });
  }

  /** Frees what was needed while messages came; the next write reads the slots again. */
  rest(): void {
    void this.#exclusively(async () => {
      if (this.#stagedCount > 0) return;
      this.#slots = undefined;
      this.#slice = undefined;
      this.#stretch = undefined;
      this.#hashes = new Int32Array(stagedAtFirst);
      this.#physical = new Float64Array(stagedAtFirst);
      this.#timestamps = new Float64Array(stagedAtFirst);
    });
  }

  /** Physical offsets of records whose key may be `text`, newest first, at most `max`. */
  query(text: string, max: number, beginMs: number, endMs: number): Promise<number[]> {
    return this.#exclusively(() => this.#query(indexKeyHash(text), max, beginMs, endMs));
  }

  async #query(keyHash: number, max: number, beginMs: number, endMs: number): Promise<number[]> {
    const found: number[] = [];
    for (let at = this.#stagedCount - 1; at >= 0 && found.length < max; at--) {
      const time = this.#timestamps[at];
      if (this.#hashes[at] === keyHash && time >= beginMs && time <= endMs) found.push(this.#physical[at]);
    }
    for (let i = this.#files.length - 1; i >= 0 && found.length < max; i--) {
      const entry = this.#files[i];
      if (entry.header.beginTimestampMs > endMs) continue;
      await this.#walk(entry, keyHash, max, beginMs, endMs, found);
      if (entry.header.beginTimestampMs < beginMs) break;
    }
    return found;
  }

  async #walk(
    { file, header }: IndexFile,
    keyHash: number,
    max: number,
    beginMs: number,
    endMs: number,
    found: number[],
  ): Promise<void> {
    const bytes = new Uint8Array(indexSlotSize);
    await file.read(bytes, 0, indexSlotSize, slotPosition(keyHash % this.#shape.slotsMax));
    let next = Buffer.from(bytes.buffer).readInt32BE(0);
    for (let steps = 0; steps < chainLengthMax && found.length < max; steps++) {
      if (next <= 0 || next >= header.entryCount) return;
      const entry = decodeEntry(await this.#readEntries(file, next, 1), 0);
      if (entry.seconds < 0) return;
      // The stamp is rounded down to seconds (RocketMQ: IndexFile.selectPhyOffset).
      const time = header.beginTimestampMs + entry.seconds * 1000;
      if (entry.keyHash === keyHash && time >= beginMs && time <= endMs) found.push(entry.physicalOffset);
      if (time < beginMs || entry.previous === next) return;
      next = entry.previous;
    }
  }

  /** Removes files that only know records below `physicalOffset`, except the newest. */
  removeBelow(physicalOffset: number): Promise<void> {
    return this.#exclusively(async () => {
      while (this.#files.length > 1 && this.#files[0].header.endPhysicalOffset < physicalOffset) {
        await this.#removeFile(this.#files[0]);
        this.#files.shift();
      }
    });
  }

  async close(): Promise<void> {
    await this.#exclusively(async () => {
      for (const { file } of this.#files) await file.close();
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#work.then(work, work);
    this.#work = run.catch(() => {});
    return run;
  }
}

const stagedAtFirst = 1024;

function emptyHeader(): IndexHeader {
  return {
    beginTimestampMs: 0,
    endTimestampMs: 0,
    beginPhysicalOffset: 0,
    endPhysicalOffset: 0,
    slotCount: 0,
    entryCount: 1,
  };
}

async function readHeader(file: File, shape: IndexShape): Promise<IndexHeader | undefined> {
  const bytes = new Uint8Array(indexHeaderSize);
  await file.read(bytes, 0, indexHeaderSize, 0);
  return decodeHeader(bytes, shape);
}

async function readSlots(file: File, shape: IndexShape): Promise<Int32Array> {
  const bytes = Buffer.allocUnsafeSlow(shape.slotsMax * indexSlotSize);
  await file.read(bytes, 0, bytes.length, indexHeaderSize);
  bytes.swap32();
  return new Int32Array(bytes.buffer, bytes.byteOffset, shape.slotsMax);
}

async function writeDirtySlots(file: File, slots: Int32Array, dirty: Uint8Array, stretch: Int32Array): Promise<void> {
  for (let page = 0; page < dirty.length; page++) {
    if (dirty[page] === 0) continue;
    let end = page + 1;
    while (end < dirty.length && dirty[end] === 1) end++;
    await writeSlots(file, slots, page << slotPageShift, Math.min(end << slotPageShift, slots.length), stretch);
    page = end - 1;
  }
}

/** Writes `slots[from, to)`, as much at a time as `stretch` holds. */
async function writeSlots(file: File, slots: Int32Array, from: number, to: number, stretch: Int32Array): Promise<void> {
  assert(from < to, 'a stretch has slots');
  for (let at = from; at < to; at += stretch.length) {
    const count = Math.min(stretch.length, to - at);
    stretch.set(slots.subarray(at, at + count));
    const bytes = Buffer.from(stretch.buffer, stretch.byteOffset, count * indexSlotSize).swap32();
    await file.write(bytes, 0, bytes.length, slotPosition(at));
  }
}

/** 1 MiB: as many slots as one write takes. */
function newStretch(): Int32Array {
  return new Int32Array(1 << 18);
}
