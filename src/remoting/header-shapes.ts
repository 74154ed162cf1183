/**
 * Headers of one producer differ in a few digits and letters, and stand otherwise at the same places byte for byte. So
 * the last JSON headers that the scan accepted are remembered, and a new one is compared with one of the same size, eight
 * bytes at a time:
 *
 *     learnt   {"code":310,"extFields":{"a":"pg","b":"T","e":"3", … ,"i":"UNIQ_KEY\u0001AC11 … ","opaque":1042, … }
 *     may vary                              ^^       ^       ^           ^^^^^^^^      ^^^^              ^^^^
 *
 * What may vary are bytes inside a field's text (not its escapes), which must again be plain, and the digits of the
 * opaque: then structure, fields and escapes lie where they lay. Any other difference makes it a header to be scanned.
 */
import type { HotRow } from './hot-row.ts';
import { escapeSize, special } from './json-escapes.ts';
import type { ScannedHeader } from './scanned-header.ts';

const shapeCount = 256;
const stretchSize = 8;
const sizeMin = 16;
/** Longer headers are scanned each time. */
const sizeMax = 1024;
/** Headers of its place that a shape outlives though they are different: the more, the more often it was of use. */
const creditMax = 8;
/** To remember a header takes as long as to scan several: where no shape is of use, all but one in so many are not. */
const patienceMax = 63;

interface Shape {
  size: number;
  credit: number;
  /** What `credit` was at first, until it was of use. */
  patience: number;
  row: HotRow | undefined;
  flag: number;
  version: number;
  language: string | undefined;
  opaqueStart: number;
  opaqueEnd: number;
  /**
   * The header's bytes at 0, 8, 16 … and, last, those that end it. As floating-point numbers, which are equal just when
   * the bytes are: text has neither NaN nor zero.
   */
  stretches: Float64Array;
  /** The two words of each stretch, and which bits of them may vary. */
  words: Int32Array;
  varying: Int32Array;
  starts: Int32Array;
  ends: Int32Array;
  marks: Uint8Array;
}

export class HeaderShapes {
  readonly #shapes: (Shape | undefined)[] = new Array(shapeCount).fill(undefined);
  /** The buffer seen last, by words. */
  #bytes: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Fills the header from memory when `bytes[base, end)` is like one of those remembered. */
  match(header: ScannedHeader, end: number): boolean {
    const { bytes, base } = header;
    const size = end - base;
    if (size < sizeMin || size > sizeMax) return false;
    if (bytes !== this.#bytes) this.#use(bytes);
    const shape = this.#shapes[placeOf(bytes, base, size)];
    if (shape === undefined || shape.size !== size) return false;
    if (!isLike(this.#view, base, shape)) return false;
    const opaque = digitsAt(bytes, base + shape.opaqueStart, base + shape.opaqueEnd);
    if (opaque < 0 || shape.row === undefined) return false;
    header.code = shape.row.command.row.code;
    header.row = shape.row;
    header.flag = shape.flag;
    header.version = shape.version;
    header.language = shape.language;
    header.opaque = opaque;
    header.starts = shape.starts;
    header.ends = shape.ends;
    header.marks = shape.marks;
    shape.patience = 0;
    if (shape.credit < creditMax) shape.credit++;
    return true;
  }

  /** Remembers a header that the scan accepted, unless its place is taken by one that is of use or has just come. */
  learn(header: ScannedHeader, end: number, opaqueStart: number, opaqueEnd: number): void {
    const { bytes, base, row } = header;
    const size = end - base;
    // An absent or negative opaque is rare, and more than nine digits need not fit.
    if (row === undefined || size < sizeMin || size > sizeMax) return;
    if (opaqueEnd - opaqueStart > 9 || digitsAt(bytes, base + opaqueStart, base + opaqueEnd) < 0) return;
    const place = placeOf(bytes, base, size);
    const known = this.#shapes[place];
    if (known !== undefined && known.credit-- > 0) return;
    const patience = known === undefined ? 0 : Math.min(2 * known.patience + 1, patienceMax);
    if (bytes !== this.#bytes) this.#use(bytes);
    const varies = new Uint8Array(size);
    for (let slot = 0; slot < row.fieldCount; slot++) {
      const from = base + header.starts[slot];
      if (header.starts[slot] < 0 || bytes[from - 1] !== 0x22) continue;
      markPlain(bytes, from, base + header.ends[slot], varies, base);
    }
    varies.fill(0xff, opaqueStart, opaqueEnd);
    this.#shapes[place] = {
      size,
      credit: patience,
      patience,
      row,
      flag: header.flag,
      version: header.version,
      language: header.language,
      opaqueStart,
      opaqueEnd,
      stretches: stretchesOf(this.#view, base, size),
      words: wordsOf(this.#view, base, size),
      varying: wordsOf(new DataView(varies.buffer), 0, size),
      starts: header.starts.slice(0, row.fieldCount),
      ends: header.ends.slice(0, row.fieldCount),
      marks: header.marks.slice(0, row.fieldCount),
    };
  }

  #use(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** By size and the code's digits, so that a command's headers do not turn out another's. */
function placeOf(bytes: Buffer, base: number, size: number): number {
  return (size + 31 * bytes[base + 8] + 57 * bytes[base + 9]) & (shapeCount - 1);
}

function stretchesOf(view: DataView, base: number, size: number): Float64Array {
  return Float64Array.from({ length: Math.ceil(size / stretchSize) }, (_, i) =>
    view.getFloat64(base + Math.min(stretchSize * i, size - stretchSize), true),
  );
}

function wordsOf(view: DataView, base: number, size: number): Int32Array {
  const count = Math.ceil(size / stretchSize);
  const words = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const at = base + Math.min(stretchSize * i, size - stretchSize);
    words[2 * i] = view.getInt32(at, true);
    words[2 * i + 1] = view.getInt32(at + 4, true);
  }
  return words;
}

function isLike(view: DataView, base: number, { size, stretches, words, varying }: Shape): boolean {
  const last = stretches.length - 1;
  for (let i = 0, at = base; i <= last; i++, at += stretchSize) {
    if (i === last) at = base + size - stretchSize;
    if (view.getFloat64(at, true) === stretches[i]) continue;
    if (!isAllowed(view.getInt32(at, true), words[2 * i], varying[2 * i])) return false;
    if (!isAllowed(view.getInt32(at + 4, true), words[2 * i + 1], varying[2 * i + 1])) return false;
  }
  return true;
}

/** Whether the words differ only where they may, and all bytes there are plain. */
function isAllowed(word: number, known: number, varying: number): boolean {
  if (((word ^ known) & ~varying) !== 0) return false;
  // What may not vary is replaced by a plain letter. Then, for each byte: its highest bit is set in `wide` when it is
  // above ASCII, below 0x20, `"` or `\`. A borrow can disturb only bytes above one that is special itself.
  const bytes = (word & varying) | (0x61616161 & ~varying);
  const quotes = bytes ^ 0x22222222;
  const slashes = bytes ^ 0x5c5c5c5c;
  const wide =
    bytes | ((bytes - 0x20202020) & ~bytes) | ((quotes - 0x01010101) & ~quotes) | ((slashes - 0x01010101) & ~slashes);
  return (wide & 0x80808080) === 0;
}

/** The plain bytes of a field's text. */
function markPlain(bytes: Buffer, start: number, end: number, varies: Uint8Array, base: number): void {
  let at = start;
  while (at < end) {
    if (bytes[at] === 0x5c) at += escapeSize(bytes, at, end);
    else {
      if (special[bytes[at]] === 0) varies[at - base] = 0xff;
      at++;
    }
  }
}

/** The value of at most nine digits; −1 when there are none, others than digits, or a zero before them. */
function digitsAt(bytes: Buffer, start: number, end: number): number {
  if (start === end || (end - start > 1 && bytes[start] === 0x30)) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
