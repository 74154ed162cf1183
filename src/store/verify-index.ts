import { type Disk, DiskError, type File } from '../io/mod.ts';
import {
  decodeEntry,
  decodeHeader,
  entryPosition,
  type IndexEntry,
  type IndexHeader,
  type IndexShape,
  indexEntrySize,
  indexFileSize,
  indexHeaderSize,
  indexSlotSize,
} from './index-file.ts';

/**
 * Compares the index with the log, both from the beginning: entries follow the records. On the way each file's chains
 * are built anew, and must be those that it has.
 */
export interface IndexFault {
  /** The file's name. */
  file: string;
  why: string;
}

/** Entries read at once: 1.3 MB. */
const chunkEntries = 65_536;

export class IndexCheck {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #shape: IndexShape;
  readonly #names: string[];
  #open: { name: string; file: File; header: IndexHeader; slots: Int32Array } | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkFirst = 0;
  /** The entry that is looked at next, in the open file. */
  #entry = 1;
  #head: IndexEntry | undefined;
  /** The first record that has an entry; undefined with an empty index. */
  firstOffset: number | undefined;
  readonly faults: IndexFault[] = [];

  private constructor(disk: Disk, directory: string, shape: IndexShape, names: string[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#shape = shape;
    this.#names = names;
  }

  static async open(disk: Disk, directory: string, shape: IndexShape): Promise<IndexCheck> {
    const check = new IndexCheck(disk, directory, shape, await namesOf(disk, directory));
    await check.#next();
    check.firstOffset = check.#head?.physicalOffset;
    return check;
  }

  /** Hashes that the index lacks for the record at `offset`; entries on the way that belong to no record are faults. */
  async record(offset: number, keyHashes: readonly number[], minOffset: number): Promise<number> {
    const missing = new Set(keyHashes);
    for (let head = this.#head; head !== undefined && head.physicalOffset <= offset; head = this.#head) {
      if (head.physicalOffset < offset) {
        if (head.physicalOffset >= minOffset)
          this.#fault(`an entry for offset ${head.physicalOffset}, where no record with keys begins`);
      } else if (!keyHashes.includes(head.keyHash)) {
        this.#fault(`an entry with another key than the record at ${offset} has`);
      }
      missing.delete(head.keyHash);
      await this.#next();
    }
    return missing.size;
  }

  /** Behind the last record. */
  async finish(): Promise<void> {
    while (this.#head !== undefined) {
      this.#fault(`an entry for offset ${this.#head.physicalOffset}, behind the log's end`);
      await this.#next();
    }
  }

  #fault(why: string): void {
    this.faults.push({ file: this.#open?.name ?? '', why });
  }

  /** Moves `#head` on. */
  async #next(): Promise<void> {
    for (;;) {
      if (this.#open === undefined && !(await this.#openNext())) {
        this.#head = undefined;
        return;
      }
      const open = this.#open;
      if (open === undefined) continue;
      if (this.#entry >= open.header.entryCount) {
        await this.#closeFile(open);
        continue;
      }
      const number = this.#entry++;
      const entry = await this.#read(open.file, open.header, number);
      const slot = entry.keyHash % this.#shape.slotsMax;
      if (entry.keyHash < 0 || entry.previous !== (open.slots[slot] ?? 0)) {
        this.#fault(`entry ${number} is not linked to the one before it`);
      }
      if (slot >= 0) open.slots[slot] = number;
      this.#head = entry;
      return;
    }
  }

  async #openNext(): Promise<boolean> {
    const name = this.#names.shift();
    if (name === undefined) return false;
    const file = await this.#disk.open(`${this.#directory}/${name}`, 'read');
    const bytes = new Uint8Array(indexHeaderSize);
    await file.read(bytes, 0, bytes.length, 0);
    const isSized = (await file.sizeBytes()) === indexFileSize(this.#shape);
    const header = isSized ? decodeHeader(bytes, this.#shape) : undefined;
    if (header === undefined) {
      const why = isSized ? 'its header is damaged' : 'it has another size than maxHashSlotNum and maxIndexNum make';
      this.faults.push({ file: name, why });
      await file.close();
      return true;
    }
    this.#open = { name, file, header, slots: new Int32Array(this.#shape.slotsMax) };
    this.#entry = 1;
    this.#chunk = new Uint8Array(0);
    return true;
  }

  /** The slots must lead to the newest entries. */
  async #closeFile(open: { name: string; file: File; slots: Int32Array }): Promise<void> {
    const bytes = Buffer.alloc(this.#shape.slotsMax * indexSlotSize);
    await open.file.read(bytes, 0, bytes.length, indexHeaderSize);
    const wrong = open.slots.findIndex((entry, slot) => bytes.readInt32BE(slot * indexSlotSize) !== entry);
    if (wrong >= 0) this.#fault(`slot ${wrong} does not lead to the newest entry`);
    await open.file.close();
    this.#open = undefined;
  }

  async #read(file: File, header: IndexHeader, number: number): Promise<IndexEntry> {
    if (number < this.#chunkFirst || (number - this.#chunkFirst) * indexEntrySize >= this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.min(chunkEntries, header.entryCount - number) * indexEntrySize);
      this.#chunkFirst = number;
      await file.read(this.#chunk, 0, this.#chunk.length, entryPosition(this.#shape, number));
    }
    return decodeEntry(this.#chunk, (number - this.#chunkFirst) * indexEntrySize);
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
  }
}

async function namesOf(disk: Disk, directory: string): Promise<string[]> {
  try {
    return (await disk.list(directory)).map(({ name }) => name).filter((name) => /^\d{17}$/.test(name));
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  }
}
