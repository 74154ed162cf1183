import { assert } from '../common/mod.ts';

/** Chunks in, as many bytes out as are asked for, in order. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
  }

  /** The first `length` bytes, which leave. Where they are one chunk it is that very chunk. */
  take(length: number): Uint8Array {
    const [first] = this.#chunks;
    if (first?.length !== length) return this.copy(length);
    this.#chunks.shift();
    this.#sizeBytes -= length;
    return first;
  }

  /** A copy of the first `length` bytes, which leave. */
  copy(length: number): Uint8Array {
    assert(length <= this.#sizeBytes, 'no more is taken than is there');
    const taken = new Uint8Array(length);
    let at = 0;
    let whole = 0;
    for (const chunk of this.#chunks) {
      if (at === length) break;
      const part = chunk.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === chunk.length) whole += 1;
      else this.#chunks[whole] = chunk.subarray(part.length);
    }
    this.#chunks.splice(0, whole);
    this.#sizeBytes -= length;
    return taken;
  }

  clear(): void {
    this.#chunks = [];
    this.#sizeBytes = 0;
  }
}
