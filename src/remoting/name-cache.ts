/**
 * Names that recur (topics, groups, languages) as strings made once: a table of fixed size, looked up by the bytes.
 * Two names that fall on one place take turns, so that nobody can fill or slow it.
 */
const placeCount = 4096;
const cachedSizeMax = 255;

export class NameCache {
  readonly #keys: (Buffer | undefined)[] = new Array(placeCount).fill(undefined);
  readonly #names: string[] = new Array(placeCount).fill('');

  /** The text of the UTF-8 bytes `[start, end)`. */
  get(bytes: Buffer, start: number, end: number): string {
    const size = end - start;
    if (size > cachedSizeMax) return bytes.toString('utf8', start, end);
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    const place = (hash ^ (hash >>> 15)) & (placeCount - 1);
    const key = this.#keys[place];
    if (key !== undefined && equals(key, bytes, start, size)) return this.#names[place];
    const name = bytes.toString('utf8', start, end);
    this.#keys[place] = Buffer.from(bytes.subarray(start, end));
    this.#names[place] = name;
    return name;
  }
}

function equals(key: Buffer, bytes: Buffer, start: number, size: number): boolean {
  if (key.length !== size) return false;
  for (let i = 0; i < size; i++) if (key[i] !== bytes[start + i]) return false;
  return true;
}
