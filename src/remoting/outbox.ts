/**
 * What a connection has yet to send in this turn of the event loop. Headers and small bodies are written one after
 * the other into a block, large bodies are kept by reference between pieces of blocks, and `flush` hands all of it to
 * the connection as one write. A block goes back to the pool only when the system has taken its bytes.
 */
import { assert } from '../common/mod.ts';
import type { Connection } from '../io/mod.ts';

const blockSize = 16_384;
/** Blocks kept for reuse by all connections of a server or client. */
const poolSizeMax = 256;
/** A piece of a body up to this size is copied behind what precedes it: cheaper than one more chunk in a gathered write. */
const copiedPieceMax = 2048;

export class BlockPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockSize);
  }

  give(block: Buffer): void {
    if (block.length === blockSize && this.#free.length < poolSizeMax) this.#free.push(block);
  }
}

export type Body = Uint8Array | readonly Uint8Array[];

export function bodySize(body: Body | undefined): number {
  if (body === undefined) return 0;
  if (body instanceof Uint8Array) return body.length;
  let size = 0;
  for (const chunk of body) size += chunk.length;
  return size;
}

export class Outbox {
  readonly #pool: BlockPool;
  /** Whole pieces that precede the open one. */
  #chunks: Uint8Array[] = [];
  #chunksSize = 0;
  /** The open block: `[#pieceAt, #at)` is not in `#chunks` yet. */
  #block: Buffer | undefined;
  #pieceAt = 0;
  #at = 0;
  /** Blocks that hold bytes not flushed, or not taken. */
  #used: Buffer[] = [];
  /** Bytes handed to the connection in all, and callbacks due once so many were taken. */
  #flushedBytes = 0;
  #taken: { after: number; run: () => void }[] = [];

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  get unflushedBytes(): number {
    return this.#chunksSize + this.#at - this.#pieceAt;
  }

  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  /** Where the next byte goes in the block that `reserve` returned. */
  get at(): number {
    return this.#at;
  }

  /** A block with room for `size` bytes at `at`. */
  reserve(size: number): Buffer {
    const open = this.#block;
    if (open !== undefined && open.length - this.#at >= size) return open;
    this.#closePiece();
    const block = size <= blockSize ? this.#pool.take() : Buffer.allocUnsafeSlow(size);
    this.#block = block;
    this.#used.push(block);
    this.#pieceAt = 0;
    this.#at = 0;
    return block;
  }

  /** The block is written up to `at`. */
  advance(at: number): void {
    assert(this.#block !== undefined && at >= this.#at && at <= this.#block.length, 'written within the reservation');
    this.#at = at;
  }

  /** `taken` runs once when the body is no longer needed: it was copied, the system has taken it, or nobody will. */
  append(body: Body | undefined, taken: (() => void) | undefined): void {
    let copied = true;
    if (body instanceof Uint8Array) copied = this.#appendPiece(body);
    else if (body !== undefined) for (let i = 0; i < body.length; i++) copied = this.#appendPiece(body[i]) && copied;
    if (taken === undefined) return;
    if (copied) taken();
    else this.#taken.push({ after: this.#flushedBytes + this.unflushedBytes, run: taken });
  }

  /** Whether it was copied. */
  #appendPiece(piece: Uint8Array): boolean {
    const size = piece.length;
    if (size > copiedPieceMax) {
      this.#closePiece();
      this.#chunks.push(piece);
      this.#chunksSize += size;
      return false;
    }
    const block = this.reserve(size);
    block.set(piece, this.#at);
    this.#at += size;
    return true;
  }

  /** Hands everything to the connection as one write. Returns the bytes written. */
  flush(connection: Connection): number {
    const size = this.unflushedBytes;
    if (size === 0) return 0;
    this.#flushedBytes += size;
    if (this.#chunks.length === 0 && this.#block !== undefined) {
      const piece = this.#block.subarray(this.#pieceAt, this.#at);
      this.#pieceAt = this.#at;
      connection.write(piece);
    } else {
      this.#closePiece();
      const chunks = this.#chunks;
      this.#chunks = [];
      this.#chunksSize = 0;
      connection.writeAll(chunks);
    }
    this.settle(connection.pendingBytes);
    return size;
  }

  /** `pendingBytes` of what was flushed are still with the connection: the blocks and bodies before them are free. */
  settle(pendingBytes: number): void {
    if (pendingBytes === 0 && this.unflushedBytes === 0) {
      for (const block of this.#used) this.#pool.give(block);
      this.#used.length = 0;
      this.#block = undefined;
      this.#pieceAt = 0;
      this.#at = 0;
    }
    if (this.#taken.length > 0) this.#runTaken(this.#flushedBytes - pendingBytes);
  }

  /** The connection is gone: nothing is sent any more, and its bytes are never reused, only collected. */
  drop(): void {
    this.#chunks = [];
    this.#chunksSize = 0;
    this.#block = undefined;
    this.#used = [];
    this.#pieceAt = 0;
    this.#at = 0;
    this.#runTaken(Number.POSITIVE_INFINITY);
  }

  #runTaken(takenBytes: number): void {
    let due = 0;
    while (due < this.#taken.length && this.#taken[due].after <= takenBytes) due++;
    for (const { run } of this.#taken.splice(0, due)) run();
  }

  #closePiece(): void {
    if (this.#block === undefined || this.#at === this.#pieceAt) return;
    this.#chunks.push(this.#block.subarray(this.#pieceAt, this.#at));
    this.#chunksSize += this.#at - this.#pieceAt;
    this.#pieceAt = this.#at;
  }
}
