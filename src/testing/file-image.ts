/**
 * One file as the kernel and the platter see it, in pages of 4 KiB. Only touched pages exist, so that a sparse file of
 * 1 GiB costs nothing. A page is looked for from the top:
 *
 *   dirty    written since the last sync began; the mask says which 512-byte sectors
 *   syncing  what a sync under way is about to make durable
 *   lost     what a failed sync left in the page cache: reads still see it, no later sync will write it
 *   durable  what survives a crash, seen only below `lowestSizeBytes`: behind it, a truncation not yet synced hides it
 *
 * A failed sync marks its pages clean, with the new contents or the old ones (Rebello et al., "Can Applications Recover
 * from fsync Failures?", ATC 2020). A crash keeps any subset of the sectors that were not synced; of the
 * last one that was being written perhaps only the first bytes.
 */
import { assert } from '../common/mod.ts';
import type { SimRandom } from './sim-random.ts';

export const pageBytes = 4096;
const sectorBytes = 512;
const allSectors = 0xff;
/** That the last sector which reached the platter is one that power failed in: only its first bytes are new. */
const tornChance = 0.2;
const zeroPage = Buffer.alloc(pageBytes);

interface DirtyPage {
  /** Shared with `zeroPage` for zeros, otherwise owned. */
  bytes: Buffer;
  sectors: number;
}

/** Of the whole disk. */
export interface Usage {
  /** In use. */
  pages: number;
  /** What was written last: a sector of it may be half-written when power fails. */
  lastWritten?: FileImage;
}

export class FileImage {
  readonly #usage: Usage;
  #sizeBytes = 0;
  #durableSizeBytes = 0;
  /** The smallest size since the last successful sync began. */
  #lowestSizeBytes = 0;
  #dirty = new Map<number, DirtyPage>();
  #syncing: { pages: Map<number, DirtyPage>; sizeBytes: number } | undefined;
  readonly #lost = new Map<number, Buffer>();
  readonly #durable = new Map<number, Buffer>();
  /** Every page that holds something, for the disk's usage. */
  readonly #pages = new Set<number>();
  modifiedMs = 0;

  constructor(usage: Usage) {
    this.#usage = usage;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get syncUnderWay(): boolean {
    return this.#syncing !== undefined;
  }

  get durablePageCount(): number {
    return this.#durable.size;
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    return this.#read(target, targetOffset, length, position, (index) => this.#visible(index));
  }

  /** As a disk reads that lost its last writes: what was durable before. */
  readStale(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    return this.#read(target, targetOffset, length, position, (index) => this.#durable.get(index) ?? zeroPage);
  }

  #read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
    pageAt: (index: number) => Buffer,
  ): number {
    const taken = Math.max(0, Math.min(length, this.#sizeBytes - position));
    let done = 0;
    while (done < taken) {
      const at = position + done;
      const inPage = at % pageBytes;
      const count = Math.min(taken - done, pageBytes - inPage);
      const page = pageAt(Math.floor(at / pageBytes));
      target.set(page.subarray(inPage, inPage + count), targetOffset + done);
      done += count;
    }
    return taken;
  }

  /** Pages that a write of this range would take from the free space. */
  newPages(length: number, position: number): number {
    let count = 0;
    for (let page = Math.floor(position / pageBytes); page * pageBytes < position + length; page++) {
      if (!this.#pages.has(page)) count += 1;
    }
    return count;
  }

  write(source: Uint8Array, position: number): void {
    this.#usage.lastWritten = this;
    let done = 0;
    while (done < source.length) {
      const at = position + done;
      const index = Math.floor(at / pageBytes);
      const inPage = at % pageBytes;
      const count = Math.min(source.length - done, pageBytes - inPage);
      this.#writePage(index, inPage, source.subarray(done, done + count));
      done += count;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, position + source.length);
  }

  truncate(sizeBytes: number): void {
    assert(!this.syncUnderWay, 'the disk holds a truncation back until the sync is done');
    if (sizeBytes < this.#sizeBytes) {
      const keptPages = Math.ceil(sizeBytes / pageBytes);
      for (const index of [...this.#pages]) if (index >= keptPages) this.#release(index);
      for (const layer of [this.#dirty, this.#lost]) {
        for (const index of [...layer.keys()]) if (index >= keptPages) layer.delete(index);
      }
      this.#lowestSizeBytes = Math.min(this.#lowestSizeBytes, sizeBytes);
      const inPage = sizeBytes % pageBytes;
      if (inPage > 0 && this.#pages.has(keptPages - 1)) {
        this.#writePage(keptPages - 1, inPage, zeroPage.subarray(inPage));
      }
    }
    this.#sizeBytes = sizeBytes;
  }

  beginSync(): void {
    assert(this.#syncing === undefined, 'one sync of a file at a time');
    this.#syncing = { pages: this.#dirty, sizeBytes: this.#sizeBytes };
    this.#dirty = new Map();
  }

  /** With `misdirected` one of the pages goes to a wrong place, and overwrites what is there. */
  endSync(misdirected?: SimRandom): void {
    const { pages, sizeBytes } = this.#takeSyncing();
    this.#trimDurable(this.#lowestSizeBytes);
    const astray = misdirected === undefined ? undefined : [...pages.keys()][misdirected.below(pages.size)];
    for (const [index, page] of pages) {
      const place = index === astray ? misdirected?.below(Math.ceil(sizeBytes / pageBytes)) : index;
      this.#durable.set(place ?? index, page.bytes);
      this.#lost.delete(index);
    }
    this.#durableSizeBytes = sizeBytes;
    this.#lowestSizeBytes = sizeBytes;
  }

  failSync(random: SimRandom): void {
    const { pages } = this.#takeSyncing();
    for (const [index, page] of pages) {
      if (random.chance(0.5)) this.#lost.set(index, page.bytes);
      else this.#lost.delete(index);
      if (index * pageBytes < this.#lowestSizeBytes) this.#keepSectors(index, page, random, 0.5, this.#lowestSizeBytes);
    }
  }

  crash(random: SimRandom): void {
    const cutKept = this.#lowestSizeBytes >= this.#durableSizeBytes || random.chance(0.5);
    let sizeBytes = this.#durableSizeBytes;
    let sectorsBelow = this.#lowestSizeBytes;
    if (cutKept) {
      this.#trimDurable(this.#lowestSizeBytes);
      const low = Math.min(this.#lowestSizeBytes, this.#sizeBytes);
      sizeBytes = random.pick([low, this.#sizeBytes, low + random.below(this.#sizeBytes - low + 1)]);
      sectorsBelow = sizeBytes;
    }
    const probability = random.pick([0, 0.5, 0.9, 1]);
    const last = this === this.#usage.lastWritten ? this.#lastPage() : undefined;
    const before = last === undefined ? undefined : this.#durable.get(last);
    for (const layer of [this.#syncing?.pages, this.#dirty]) {
      for (const [index, page] of layer ?? []) this.#keepSectors(index, page, random, probability, sectorsBelow);
    }
    if (last !== undefined && random.chance(tornChance)) this.#tear(last, before ?? zeroPage, random);
    this.#syncing = undefined;
    this.#dirty.clear();
    this.#lost.clear();
    this.#sizeBytes = sizeBytes;
    this.#durableSizeBytes = sizeBytes;
    this.#lowestSizeBytes = sizeBytes;
    for (const index of [...this.#pages]) this.#release(index);
    for (const index of this.#durable.keys()) this.#take(index);
  }

  /** Changes bytes behind everybody's back: rot, or a test's hand. The size follows when they lie behind the end. */
  overwrite(bytes: Uint8Array, position: number): void {
    assert(!this.syncUnderWay, 'bytes change between syncs');
    this.write(bytes, position);
    this.beginSync();
    this.endSync();
  }

  /** One bit on the platter turns; a cached page hides it until the machine crashes. */
  rot(random: SimRandom): void {
    const indexes = [...this.#durable.keys()];
    const index = indexes[random.below(indexes.length)];
    if (index === undefined) return;
    const page = Buffer.from(this.#durable.get(index) ?? zeroPage);
    const at = random.below(Math.max(1, Math.min(pageBytes, this.#durableSizeBytes - index * pageBytes)));
    page[at] = (page[at] ?? 0) ^ (1 << random.below(8));
    this.#durable.set(index, page);
  }

  /** The file is gone from the disk. */
  discard(): void {
    for (const index of [...this.#pages]) this.#release(index);
  }

  #visible(index: number): Buffer {
    const page = this.#dirty.get(index)?.bytes ?? this.#syncing?.pages.get(index)?.bytes ?? this.#lost.get(index);
    if (page !== undefined) return page;
    const durable = this.#durable.get(index);
    const visibleBytes = this.#lowestSizeBytes - index * pageBytes;
    if (durable === undefined || visibleBytes <= 0) return zeroPage;
    if (visibleBytes >= pageBytes) return durable;
    const clipped = Buffer.from(durable);
    clipped.fill(0, visibleBytes);
    return clipped;
  }

  #writePage(index: number, inPage: number, bytes: Uint8Array): void {
    this.#take(index);
    const lastSector = Math.ceil((inPage + bytes.length) / sectorBytes);
    const sectors = (allSectors << Math.floor(inPage / sectorBytes)) & (allSectors >> (8 - lastSector));
    if (bytes.length === pageBytes && zeroPage.equals(bytes)) {
      this.#dirty.set(index, { bytes: zeroPage, sectors });
      return;
    }
    let page = this.#dirty.get(index);
    if (page === undefined || page.bytes === zeroPage) {
      page = { bytes: Buffer.from(this.#visible(index)), sectors: page?.sectors ?? 0 };
      this.#dirty.set(index, page);
    }
    page.bytes.set(bytes, inPage);
    page.sectors |= sectors;
  }

  #takeSyncing(): { pages: Map<number, DirtyPage>; sizeBytes: number } {
    const syncing = this.#syncing;
    assert(syncing !== undefined, 'a sync ends that began');
    this.#syncing = undefined;
    return syncing;
  }

  #keepSectors(index: number, page: DirtyPage, random: SimRandom, probability: number, belowBytes: number): void {
    const durable = Buffer.from(this.#durable.get(index) ?? zeroPage);
    let kept = false;
    for (let sector = 0; sector < 8; sector++) {
      if ((page.sectors & (1 << sector)) === 0 || !random.chance(probability)) continue;
      const start = sector * sectorBytes;
      const end = Math.min(start + sectorBytes, belowBytes - index * pageBytes);
      if (end <= start) continue;
      page.bytes.copy(durable, start, start, end);
      kept = true;
    }
    if (kept) this.#durable.set(index, durable);
  }

  /** The last page that was not synced. */
  #lastPage(): number | undefined {
    let last: number | undefined;
    for (const layer of [this.#syncing?.pages, this.#dirty]) {
      for (const index of layer?.keys() ?? []) last = Math.max(last ?? index, index);
    }
    return last;
  }

  /** Of the last sector in which a page differs from what it was, takes some bytes at the end back. */
  #tear(index: number, before: Buffer, random: SimRandom): void {
    const page = this.#durable.get(index);
    if (page === undefined) return;
    for (let start = pageBytes - sectorBytes; start >= 0; start -= sectorBytes) {
      const end = start + sectorBytes;
      if (page.compare(before, start, end, start, end) === 0) continue;
      const torn = Buffer.from(page);
      const from = start + random.below(sectorBytes);
      before.copy(torn, from, from, end);
      this.#durable.set(index, torn);
      return;
    }
  }

  #trimDurable(sizeBytes: number): void {
    for (const [index, page] of [...this.#durable]) {
      const keptBytes = sizeBytes - index * pageBytes;
      if (keptBytes <= 0) this.#durable.delete(index);
      else if (keptBytes < pageBytes) {
        const clipped = Buffer.from(page);
        clipped.fill(0, keptBytes);
        this.#durable.set(index, clipped);
      }
    }
  }

  #take(index: number): void {
    if (this.#pages.has(index)) return;
    this.#pages.add(index);
    this.#usage.pages += 1;
  }

  #release(index: number): void {
    if (this.#pages.delete(index)) this.#usage.pages -= 1;
  }
}
