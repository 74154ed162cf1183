/**
 * Names that recur (topics, groups, languages) as strings made once: a table of fixed size, looked up by the bytes.
 * Two names that fall on one place take turns, so that nobody can fill or slow it. The bytes lie side by side in one
 * array: a small Buffer for each would keep a whole slab of Node's buffer pool alive.
 */
const placeCount = 4096;
/** Longer names (the limit for topics is 127) are decoded each time. */
const nameSizeMax = 128;

export class NameCache {
  readonly #bytes = new Uint8Array(placeCount * nameSizeMax);
  readonly #sizes = new Uint8Array(placeCount);
  readonly #names: string[] = new Array(placeCount).fill('');

  /** The text of the UTF-8 bytes `[start, end)`. */
  get(bytes: Buffer, start: number, end: number): string {
    const size = end - start;
    if (size > nameSizeMax) return bytes.toString('utf8', start, end);
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    const place = (hash ^ (hash >>> 15)) & (placeCount - 1);
    if (this.#holds(place, bytes, start, size)) return this.#names[place];
    const name = bytes.toString('utf8', start, end);
    this.#bytes.set(bytes.subarray(start, end), place * nameSizeMax);
    this.#sizes[place] = size;
    this.#names[place] = name;
    return name;
  }

  #holds(place: number, bytes: Buffer, start: number, size: number): boolean {
    if (this.#sizes[place] !== size) return false;
    const at = place * nameSizeMax;
    for (let i = 0; i < size; i++) if (this.#bytes[at + i] !== bytes[start + i]) return false;
    return true;
  }
}
