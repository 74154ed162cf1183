/**
 * The frame, the unit of the remoting protocol (all integers big-endian):
 *
 *      0        4        5              8
 *      +--------+--------+--------------+----------------+------------+
 *      | length | serial | headerLength | header         | body       |
 *      +--------+--------+--------------+----------------+------------+
 *        int32    int8     int24          headerLength     the rest
 *
 * `length` counts what follows it: 4 + headerLength + body. `serial` is 0 for a JSON header, 1 for the binary one.
 *
 * The reader below takes the chunks of a connection, which are valid only during the call, and hands out whole frames.
 * A frame inside one chunk is handed out in place; only what a chunk leaves unfinished is copied, into a buffer that
 * grows with what has arrived, never with what a length announces.
 */
import { assert } from '../common/mod.ts';

/** Bytes of `length`, and of everything before the header. */
export const lengthSize = 4;
export const prefixSize = 8;

export const Serialization = { JSON: 0, BINARY: 1 } as const;

/** The peer does not speak the protocol, or means harm: the connection must be closed. The message says why. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

interface FrameLimits {
  readonly frameSizeMax: number;
  readonly headerSizeMax: number;
}

/**
 * A whole frame at `start` (its length field) to `end` in `bytes`, valid during the call only. False stops the reader:
 * what follows is kept until `resume`.
 */
type OnFrame = (bytes: Buffer, start: number, end: number) => boolean;

/** The buffer for an unfinished frame starts with this much, doubles, and is given up when a frame outgrew `keepMax`. */
const heldSizeMin = 1024;
const heldKeepMax = 65_536;

const empty = Buffer.alloc(0);

/** Reads `length` at `start` and returns the size of the whole frame. Throws FrameError for lengths that cannot be. */
function frameSizeAt(bytes: Buffer, start: number, limits: FrameLimits): number {
  const length = bytes.readInt32BE(start);
  if (length < lengthSize) throw new FrameError(`a frame of length ${length}: the least is ${lengthSize}`);
  const size = length + lengthSize;
  if (size > limits.frameSizeMax) {
    throw new FrameError(`a frame of ${size} bytes: the limit is ${limits.frameSizeMax}`);
  }
  return size;
}

/** Checks the header's length against the frame's. Throws FrameError. */
function checkHeaderSize(bytes: Buffer, start: number, frameSize: number, limits: FrameLimits): void {
  const headerSize = bytes.readInt32BE(start + lengthSize) & 0xffffff;
  if (headerSize > frameSize - prefixSize) {
    throw new FrameError(`a header of ${headerSize} bytes in a frame of ${frameSize}`);
  }
  if (headerSize > limits.headerSizeMax) {
    throw new FrameError(`a header of ${headerSize} bytes: the limit is ${limits.headerSizeMax}`);
  }
}

export class FrameReader {
  readonly #limits: FrameLimits;
  readonly #onFrame: OnFrame;
  /** What no frame was made of yet: `#held[#heldStart, #heldEnd)`. */
  #held = empty;
  #heldStart = 0;
  #heldEnd = 0;
  #stopped = false;

  constructor(limits: FrameLimits, onFrame: OnFrame) {
    this.#limits = limits;
    this.#onFrame = onFrame;
  }

  /** Bytes received of a frame that is not whole yet, or kept while stopped. */
  get heldBytes(): number {
    return this.#heldEnd - this.#heldStart;
  }

  /** Takes the next bytes of the stream. Throws FrameError; the reader must not be used after that. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#stopped) {
      this.#hold(bytes, 0, bytes.length);
      return;
    }
    let at = 0;
    while (this.heldBytes > 0 && at < bytes.length) {
      at = this.#completeHeld(bytes, at);
      if (this.#stopped) break;
    }
    if (!this.#stopped) at = this.#readFrames(bytes, at, bytes.length);
    if (at < bytes.length) this.#hold(bytes, at, bytes.length);
  }

  /** Goes on after `onFrame` returned false. Throws FrameError. */
  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#heldStart = this.#readFrames(this.#held, this.#heldStart, this.#heldEnd);
    if (this.heldBytes === 0) this.#release();
  }

  /** Hands out the whole frames in `[start, end)` and returns where the rest begins. */
  #readFrames(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (end - at >= lengthSize) {
      const size = frameSizeAt(bytes, at, this.#limits);
      if (end - at >= prefixSize) checkHeaderSize(bytes, at, size, this.#limits);
      if (end - at < size) break;
      const frameAt = at;
      at += size;
      if (!this.#onFrame(bytes, frameAt, at)) {
        this.#stopped = true;
        break;
      }
    }
    return at;
  }

  /** Moves from the chunk what the held frame lacks, hands it out when whole, and returns how far the chunk is used. */
  #completeHeld(bytes: Buffer, at: number): number {
    const lengthLacks = lengthSize - this.heldBytes;
    const wanted =
      lengthLacks > 0
        ? lengthLacks
        : this.heldBytes < prefixSize
          ? Math.min(prefixSize, frameSizeAt(this.#held, this.#heldStart, this.#limits)) - this.heldBytes
          : frameSizeAt(this.#held, this.#heldStart, this.#limits) - this.heldBytes;
    const taken = Math.min(wanted, bytes.length - at);
    this.#hold(bytes, at, at + taken);
    this.#heldStart = this.#readFrames(this.#held, this.#heldStart, this.#heldEnd);
    if (this.heldBytes === 0) this.#release();
    return at + taken;
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    const count = end - start;
    if (this.#heldEnd + count > this.#held.length) {
      const have = this.heldBytes;
      const size = Math.max(heldSizeMin, have + count, Math.min(2 * have, this.#limits.frameSizeMax));
      const larger = Buffer.allocUnsafeSlow(size);
      this.#held.copy(larger, 0, this.#heldStart, this.#heldEnd);
      this.#held = larger;
      this.#heldStart = 0;
      this.#heldEnd = have;
    }
    bytes.copy(this.#held, this.#heldEnd, start, end);
    this.#heldEnd += count;
    assert(this.#heldEnd <= this.#held.length, 'held bytes lie within their buffer');
  }

  #release(): void {
    this.#heldStart = 0;
    this.#heldEnd = 0;
    if (this.#held.length > heldKeepMax) this.#held = empty;
  }
}
