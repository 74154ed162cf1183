import { assert } from '../common/mod.ts';
import type { QueueTable } from './queue-table.ts';

/**
 * The newest entries of the queues in memory: those that are not in the files yet, and as many of the others as there
 * is room for. A page holds the entries of 8 consecutive units of one queue; pages are found through one hash table
 * keyed by (queue, unit / 8), and their contents lie in slabs of typed arrays.
 *
 *     page   units [8p … 8p+7]; the first of them that is held: `from`   (a page that was dropped after its entries
 *                                                                        were written, and begun again for the next)
 */
const pageUnits = 8;
const pageShift = 3;
/** Pages a slab: 64 KiB entries, 1.3 MB. */
const slabShift = 13;
const slabPages = 1 << slabShift;

interface Slab {
  physical: Float64Array;
  size: Int32Array;
  tags: Float64Array;
  queue: Int32Array;
  page: Int32Array;
  from: Uint8Array;
}

export class QueuePages {
  readonly #table: QueueTable;
  readonly #pagesMax: number;
  readonly #slabs: Slab[] = [];
  /** Pages that were handed out at least once. */
  #pageCount = 0;
  readonly #free: number[] = [];
  /** Where the search for a page to drop goes on. */
  #hand = 0;
  /** `~page` by queue and page number; 0 is empty, so that untouched parts of the table cost no memory. */
  readonly #hash: Int32Array;
  readonly #hashMask: number;

  /** Of the entry that `read` found. */
  physicalOffset = 0;
  sizeBytes = 0;
  tagsCode = 0;

  constructor(table: QueueTable, pagesMax: number) {
    this.#table = table;
    this.#pagesMax = pagesMax;
    let slots = 1024;
    while (slots < pagesMax * 2) slots *= 2;
    this.#hash = new Int32Array(slots);
    this.#hashMask = slots - 1;
  }

  /** Whether `count` calls of `append` to one queue can have their pages. */
  hasRoom(count: number): boolean {
    const wanted = Math.ceil((count - 1) / pageUnits) + 1;
    while (this.#free.length + this.#pagesMax - this.#pageCount < wanted) if (!this.#dropOne()) return false;
    return true;
  }

  /** The entry of unit `nextUnit`, which moves on. */
  append(queue: number, physicalOffset: number, sizeBytes: number, tagsCode: number): void {
    const unit = this.#table.nextUnit[queue];
    const slot = unit % pageUnits;
    let page = this.#table.tailPage[queue];
    if (page < 0 || slot === 0) {
      page = this.#take(queue, Math.floor(unit / pageUnits), slot);
      this.#table.tailPage[queue] = page;
    }
    const slab = this.#slabs[page >> slabShift];
    const at = ((page & (slabPages - 1)) << pageShift) + slot;
    slab.physical[at] = physicalOffset;
    slab.size[at] = sizeBytes;
    slab.tags[at] = tagsCode;
    this.#table.nextUnit[queue] = unit + 1;
  }

  /** Whether the entry is in memory; if so it is in `physicalOffset`, `sizeBytes`, `tagsCode`. */
  read(queue: number, unit: number): boolean {
    assert(unit < this.#table.nextUnit[queue], 'an entry that is read was appended');
    const number = Math.floor(unit / pageUnits);
    const page = this.#find(queue, number);
    if (page < 0) return false;
    const slab = this.#slabs[page >> slabShift];
    const local = page & (slabPages - 1);
    const slot = unit - number * pageUnits;
    if (slot < slab.from[local]) return false;
    const at = (local << pageShift) + slot;
    this.physicalOffset = slab.physical[at];
    this.sizeBytes = slab.size[at];
    this.tagsCode = slab.tags[at];
    return true;
  }

  /** Takes back the newest entry. */
  removeLast(queue: number): void {
    const unit = this.#table.nextUnit[queue] - 1;
    this.#table.nextUnit[queue] = unit;
    if (unit % pageUnits === 0) this.#toPrevious(queue, unit);
    else if (this.#isEmpty(this.#table.tailPage[queue], unit)) this.#toPrevious(queue, unit);
  }

  #isEmpty(page: number, unit: number): boolean {
    return this.#slabs[page >> slabShift].from[page & (slabPages - 1)] === unit % pageUnits;
  }

  /** The tail page holds nothing below `unit`: it is freed, and the one before, if it is in memory, is the tail. */
  #toPrevious(queue: number, unit: number): void {
    this.#release(this.#table.tailPage[queue]);
    this.#table.tailPage[queue] = unit === 0 ? -1 : this.#find(queue, Math.floor((unit - 1) / pageUnits));
  }

  /** Drops all pages of these queues. */
  drop(queues: ReadonlySet<number>): void {
    for (let page = 0; page < this.#pageCount; page++) {
      if (queues.has(this.#slabs[page >> slabShift].queue[page & (slabPages - 1)])) this.#release(page);
    }
    for (const queue of queues) this.#table.tailPage[queue] = -1;
  }

  #take(queue: number, number: number, from: number): number {
    let page = this.#free.pop();
    if (page === undefined) {
      assert(this.#pageCount < this.#pagesMax, 'a page is taken when there is room');
      page = this.#pageCount++;
      if (page >> slabShift === this.#slabs.length) this.#slabs.push(newSlab());
    }
    const slab = this.#slabs[page >> slabShift];
    const local = page & (slabPages - 1);
    slab.queue[local] = queue;
    slab.page[local] = number;
    slab.from[local] = from;
    let at = hashOf(queue, number) & this.#hashMask;
    while (this.#hash[at] !== empty) at = (at + 1) & this.#hashMask;
    this.#hash[at] = ~page;
    return page;
  }

  #find(queue: number, number: number): number {
    for (let at = hashOf(queue, number) & this.#hashMask; ; at = (at + 1) & this.#hashMask) {
      const held = this.#hash[at];
      if (held === empty) return -1;
      const page = ~held;
      const slab = this.#slabs[page >> slabShift];
      const local = page & (slabPages - 1);
      if (slab.page[local] === number && slab.queue[local] === queue) return page;
    }
  }

  /** Takes the page out of the hash table; those that had to move on because of it move back. */
  #release(page: number): void {
    const slab = this.#slabs[page >> slabShift];
    const local = page & (slabPages - 1);
    let hole = hashOf(slab.queue[local], slab.page[local]) & this.#hashMask;
    while (this.#hash[hole] !== ~page) hole = (hole + 1) & this.#hashMask;
    slab.queue[local] = nobody;
    this.#free.push(page);
    for (let at = (hole + 1) & this.#hashMask; this.#hash[at] !== empty; at = (at + 1) & this.#hashMask) {
      const other = ~this.#hash[at];
      const otherSlab = this.#slabs[other >> slabShift];
      const otherLocal = other & (slabPages - 1);
      const home = hashOf(otherSlab.queue[otherLocal], otherSlab.page[otherLocal]) & this.#hashMask;
      // It may fill the hole when the hole lies on its way from home to here.
      if (((at - home) & this.#hashMask) >= ((at - hole) & this.#hashMask)) {
        this.#hash[hole] = ~other;
        hole = at;
      }
    }
    this.#hash[hole] = empty;
  }

  /** Frees a page whose entries are all in the files; looks at a bounded number of pages. */
  #dropOne(): boolean {
    for (let looked = 0; looked < dropLookMax; looked++) {
      const page = this.#hand;
      this.#hand = this.#hand + 1 === this.#pageCount ? 0 : this.#hand + 1;
      const slab = this.#slabs[page >> slabShift];
      const queue = slab.queue[page & (slabPages - 1)];
      if (queue === nobody) continue;
      const end = (slab.page[page & (slabPages - 1)] + 1) * pageUnits;
      const { nextUnit, fileUnits, tailPage } = this.#table;
      if (fileUnits[queue] < Math.min(end, nextUnit[queue])) continue;
      if (tailPage[queue] === page) tailPage[queue] = -1;
      this.#release(page);
      return true;
    }
    return false;
  }
}

/** A put must not search long: what is not found now will be found by one of the next. */
const dropLookMax = 4096;
const empty = 0;
const nobody = -1;

function newSlab(): Slab {
  return {
    physical: new Float64Array(slabPages * pageUnits),
    size: new Int32Array(slabPages * pageUnits),
    tags: new Float64Array(slabPages * pageUnits),
    queue: new Int32Array(slabPages),
    page: new Int32Array(slabPages),
    from: new Uint8Array(slabPages),
  };
}

function hashOf(queue: number, number: number): number {
  let hash = Math.imul(queue, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
