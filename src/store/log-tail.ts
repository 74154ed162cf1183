import { assert } from '../common/mod.ts';

/**
 * The newest part of the log in memory: where records are built, what is written to the file, and what tail reads are
 * served from, without copying.
 *
 *     blocks   [ start … fill |free ]  [ start … fill |free ]  …   ascending; a gap between two is the unused end of
 *                                                                  a segment, or a record that fitted no more
 *
 * A block that readers still use when it falls out of the tail is left to them (and to the garbage collector), never
 * written again. How much they may hold that way is bounded: over it, reads copy.
 */
interface Block {
  readonly bytes: Uint8Array;
  /** Log offset of the first byte. */
  start: number;
  /** Bytes used. */
  fill: number;
  /** Reads that have not been released. */
  pins: number;
  dropped: boolean;
  /** What it counts when readers hold it on; 0 for a copy of theirs. */
  readonly heldSize: number;
}

/** A pinned stretch of the log in one block. */
export interface TailSlice {
  readonly block: Block;
  readonly at: number;
  length: number;
}

export class LogTail {
  readonly #sizeMax: number;
  readonly #blockSize: number;
  readonly #blocks: Block[] = [];
  #spare: Uint8Array | undefined;
  #sizeBytes = 0;
  #sealed = false;
  /** In dropped blocks that readers still hold. */
  #heldBytes = 0;

  /** Where the place that `reserve` found lies. */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;

  constructor(options: { sizeMax: number; blockSize: number }) {
    this.#sizeMax = Math.max(options.sizeMax, options.blockSize * 2);
    this.#blockSize = options.blockSize;
  }

  /** The lowest offset in memory; undefined when nothing is. */
  get start(): number | undefined {
    return this.#blocks[0]?.start;
  }

  /** The next bytes begin a new block: a segment ends here. */
  seal(): void {
    this.#sealed = true;
  }

  /** Finds room for `size` contiguous bytes at log offset `offset` (in `bytes`, `at`), and takes it. */
  reserve(offset: number, size: number): void {
    let block = this.#blocks[this.#blocks.length - 1];
    const fits = block !== undefined && !this.#sealed && block.fill + size <= block.bytes.length;
    if (block === undefined || !fits || block.start + block.fill !== offset) {
      assert(block === undefined || block.start + block.fill <= offset, 'the log grows at its end');
      const bytes = this.#takeBuffer(size);
      block = { bytes, start: offset, fill: 0, pins: 0, dropped: false, heldSize: bytes.length };
      this.#blocks.push(block);
      this.#sizeBytes += block.bytes.length;
      this.#sealed = false;
    }
    this.bytes = block.bytes;
    this.at = block.fill;
    block.fill += size;
  }

  #takeBuffer(size: number): Uint8Array {
    if (size <= this.#blockSize && this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    // Not zeroed: untouched pages cost no memory, and only what was written is ever read.
    return Buffer.allocUnsafeSlow(Math.max(size, this.#blockSize));
  }

  /** The stretch from `offset` on that lies in one block; undefined when there is none, or a gap begins there. */
  contiguous(offset: number): { bytes: Uint8Array; at: number; length: number } | undefined {
    const block = this.#find(offset);
    if (block === undefined) return undefined;
    const at = offset - block.start;
    return { bytes: block.bytes, at, length: block.fill - at };
  }

  /** Where the next block after a gap at `offset` starts. */
  nextStart(offset: number): number | undefined {
    for (const block of this.#blocks) if (block.start >= offset) return block.start;
    return undefined;
  }

  /** Pins the bytes, so that they stay unchanged until `release`; undefined when they are not (whole) in memory. */
  pin(offset: number, size: number): TailSlice | undefined {
    const block = this.#find(offset);
    if (block === undefined) return undefined;
    const at = offset - block.start;
    if (at + size > block.fill) return undefined;
    if (this.#heldBytes > this.#sizeMax) return copied(block.bytes.slice(at, at + size));
    block.pins += 1;
    return { block, at, length: size };
  }

  /** Makes the slice longer by the bytes at `offset`, when they lie directly behind it. */
  extend(slice: TailSlice, offset: number, size: number): boolean {
    const { block } = slice;
    const end = slice.at + slice.length;
    if (offset !== block.start + end || end + size > block.fill) return false;
    slice.length += size;
    return true;
  }

  bytesOf(slice: TailSlice): Uint8Array {
    return slice.block.bytes.subarray(slice.at, slice.at + slice.length);
  }

  release({ block }: TailSlice): void {
    assert(block.pins > 0, 'a slice of the tail is released once');
    block.pins -= 1;
    if (block.dropped && block.pins === 0) this.#heldBytes -= block.heldSize;
  }

  /**
   * Drops the oldest blocks while the tail is larger than its maximum. Those that are not flushed stay as long as it is
   * no larger than twice that; those that are not `durable` stay.
   */
  trim(flushed: number, durable: number): void {
    while (this.#sizeBytes > this.#sizeMax && this.#blocks.length > 1) {
      const block = this.#blocks[0];
      if (block.start + block.fill > (this.#sizeBytes > this.#sizeMax * 2 ? durable : flushed)) return;
      this.#blocks.shift();
      this.#drop(block);
    }
  }

  /** Forgets everything from `offset` on. */
  cut(offset: number): void {
    for (;;) {
      const block = this.#blocks[this.#blocks.length - 1];
      if (block === undefined || block.start + block.fill <= offset) return;
      if (block.start < offset) {
        // Nobody reads what was never durable, so that its place may be written again.
        block.fill = offset - block.start;
        return;
      }
      this.#blocks.pop();
      this.#drop(block);
    }
  }

  #drop(block: Block): void {
    this.#sizeBytes -= block.bytes.length;
    block.dropped = true;
    if (block.pins > 0) this.#heldBytes += block.heldSize;
    else if (block.bytes.length === this.#blockSize) this.#spare = block.bytes;
  }

  #find(offset: number): Block | undefined {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const block = blocks[middle];
      if (offset < block.start) high = middle - 1;
      else if (offset >= block.start + block.fill) low = middle + 1;
      else return block;
    }
    return undefined;
  }
}

/** A slice that nothing but its reader knows. */
function copied(bytes: Uint8Array): TailSlice {
  const block = { bytes, start: -1, fill: 0, pins: 1, dropped: true, heldSize: 0 };
  return { block, at: 0, length: bytes.length };
}
