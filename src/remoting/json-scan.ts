/**
 * One pass over the bytes of a hot command's JSON header, which notes where each field of the row lies and decodes
 * nothing. Whatever is unusual (nesting, escaped names, repeated keys, numbers that are no plain integers, lone
 * surrogates, malformed JSON…) makes the pass give up, and the general codec judges; both agree on everything that the
 * pass accepts.
 */
import { type HotRow, nameHashStart, nameHashStep } from './hot-row.ts';
import { escapeSize, special } from './json-escapes.ts';
import { Mark, type ScannedHeader } from './scanned-header.ts';

/** Bits of the keys at the top level, each of which may come once. */
const Seen = { CODE: 1, FLAG: 2, OPAQUE: 4, VERSION: 8, LANGUAGE: 16, EXT_FIELDS: 32 } as const;

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const keyCode = ascii('code');
const keyFlag = ascii('flag');
const keyOpaque = ascii('opaque');
const keyVersion = ascii('version');
const keyLanguage = ascii('language');
const keyExtFields = ascii('extFields');
const literals = [ascii('null'), ascii('true'), ascii('false')];
const unusual = -2;

export class JsonScan {
  readonly #header: ScannedHeader;
  readonly #rows: ReadonlyMap<number, HotRow>;
  readonly #fieldsMax: number;
  #bytes: Buffer;
  /** Where the pass stands, and what the last value or number was. */
  #at = 0;
  #end = 0;
  #valueStart = 0;
  #valueEnd = 0;
  #valueMark = 0;
  #number = 0;
  #seen = 0;
  /** Where the digits of the opaque stood, relative to the header. */
  opaqueStart = 0;
  opaqueEnd = 0;

  constructor(header: ScannedHeader, rows: ReadonlyMap<number, HotRow>, fieldsMax: number) {
    this.#header = header;
    this.#rows = rows;
    this.#fieldsMax = fieldsMax;
    this.#bytes = header.bytes;
  }

  /** Scans the header from its base to `end`. Each step returns whether all was usual, and leaves `#at` behind it. */
  run(end: number): boolean {
    const header = this.#header;
    this.#bytes = header.bytes;
    this.#at = header.base;
    this.#end = end;
    this.#seen = 0;
    this.opaqueStart = this.opaqueEnd = 0;
    if (!this.#expect(0x7b)) return false;
    for (;;) {
      if (!this.#scanPair()) return false;
      const next = this.#peek();
      this.#at++;
      if (next === 0x2c) continue;
      if (next !== 0x7d) return false;
      break;
    }
    return this.#peek() === -1 && header.row !== undefined;
  }

  #scanPair(): boolean {
    if (!this.#expect(0x22) || !this.#scanText() || (this.#valueMark & Mark.ESCAPED) !== 0) return false;
    const start = this.#valueStart;
    const size = this.#valueEnd - start;
    if (!this.#expect(0x3a)) return false;
    const header = this.#header;
    if (this.#isKey(keyCode, start, size)) return this.#scanInt32(Seen.CODE) && this.#choose(this.#number);
    if (this.#isKey(keyExtFields, start, size)) return this.#first(Seen.EXT_FIELDS) && this.#scanExtFields();
    if (this.#isKey(keyLanguage, start, size)) return this.#scanLanguage();
    if (this.#isKey(keyFlag, start, size)) {
      if (!this.#scanInt32(Seen.FLAG)) return false;
      header.flag = this.#number;
      return true;
    }
    if (this.#isKey(keyVersion, start, size)) {
      if (!this.#scanInt32(Seen.VERSION)) return false;
      header.version = this.#number;
      return true;
    }
    if (this.#isKey(keyOpaque, start, size)) {
      if (!this.#scanInt32(Seen.OPAQUE)) return false;
      header.opaque = this.#number;
      this.opaqueStart = this.#valueStart - header.base;
      this.opaqueEnd = this.#at - header.base;
      return true;
    }
    return this.#scanValue();
  }

  /** Only hot commands go on, and only when the code stands before the fields. */
  #choose(code: number): boolean {
    const row = this.#rows.get(code);
    if (row === undefined || (this.#seen & Seen.EXT_FIELDS) !== 0) return false;
    const header = this.#header;
    header.code = code;
    header.row = row;
    header.starts.fill(-1, 0, row.fieldCount);
    return true;
  }

  #scanLanguage(): boolean {
    if (!this.#first(Seen.LANGUAGE) || !this.#expect(0x22) || !this.#scanText() || this.#valueMark !== Mark.NONE) {
      return false;
    }
    this.#header.language = this.#header.names.get(this.#bytes, this.#valueStart, this.#valueEnd);
    return true;
  }

  #scanExtFields(): boolean {
    const { row } = this.#header;
    if (row === undefined || !this.#expect(0x7b)) return false;
    if (this.#peek() === 0x7d) {
      this.#at++;
      return true;
    }
    for (let count = 1; count <= this.#fieldsMax; count++) {
      const slot = this.#scanName(row);
      if (slot === unusual || !this.#expect(0x3a) || !this.#scanValue()) return false;
      if (slot >= 0) this.#put(slot);
      const next = this.#peek();
      this.#at++;
      if (next === 0x7d) return true;
      if (next !== 0x2c) return false;
    }
    return false;
  }

  #put(slot: number): void {
    const { base, starts, ends, marks } = this.#header;
    starts[slot] = this.#valueStart < 0 ? -1 : this.#valueStart - base;
    ends[slot] = this.#valueEnd - base;
    marks[slot] = this.#valueMark;
  }

  /** The slot of the name that stands here, −1 for one that the row does not know, or `unusual`. */
  #scanName(row: HotRow): number {
    if (!this.#expect(0x22)) return unusual;
    const bytes = this.#bytes;
    const start = this.#at;
    let hash = nameHashStart;
    let at = start;
    for (; at < this.#end; at++) {
      const byte = bytes[at];
      if (byte === 0x22) break;
      if (byte === 0x5c || byte < 0x20) return unusual;
      hash = nameHashStep(hash, byte);
    }
    if (at >= this.#end) return unusual;
    this.#at = at + 1;
    return row.slotOf(bytes, start, at, hash);
  }

  /** Any value without structure: a string, a plain integer, true, false or null. */
  #scanValue(): boolean {
    const first = this.#peek();
    if (first === 0x22) {
      this.#at++;
      return this.#scanText();
    }
    this.#valueMark = Mark.NONE;
    this.#valueStart = this.#at;
    if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
      const scanned = this.#scanDigits();
      this.#valueEnd = this.#at;
      return scanned;
    }
    for (let index = 0; index < literals.length; index++) {
      const literal = literals[index];
      if (literal[0] === first && this.#at + literal.length <= this.#end && this.#is(literal, this.#at)) {
        this.#at += literal.length;
        this.#valueEnd = this.#at;
        if (index === 0) this.#valueStart = -1;
        return true;
      }
    }
    return false;
  }

  /** The rest of a string, from behind its opening quote. */
  #scanText(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    let mark = 0;
    this.#valueStart = at;
    for (;;) {
      while (at < end && special[bytes[at]] === 0) at++;
      if (at >= end) return false;
      const byte = bytes[at];
      if (byte === 0x22) break;
      if (byte >= 0x80) {
        mark |= Mark.WIDE;
        at++;
      } else if (byte === 0x5c) {
        const size = escapeSize(bytes, at, end);
        if (size === 0) return false;
        mark |= Mark.ESCAPED;
        at += size;
      } else return false;
    }
    this.#valueEnd = at;
    this.#valueMark = mark;
    this.#at = at + 1;
    return true;
  }

  #scanInt32(key: number): boolean {
    const first = this.#peek();
    if (!this.#first(key) || (first !== 0x2d && (first < 0x30 || first > 0x39))) return false;
    this.#valueStart = this.#at;
    if (!this.#scanDigits() || this.#number !== (this.#number | 0)) return false;
    // −0 becomes 0.
    this.#number |= 0;
    return true;
  }

  /** An integer as JSON writes it; longer ones than 15 digits leave a `#number` that is not to be used. */
  #scanDigits(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    const negative = bytes[at] === 0x2d;
    if (negative) at++;
    const start = at;
    let number = 0;
    for (; at < this.#end; at++) {
      const digit = bytes[at] - 0x30;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    const size = at - start;
    if (size === 0 || (size > 1 && bytes[start] === 0x30)) return false;
    // A fraction or an exponent: the general codec keeps it as text.
    if (at < this.#end && (bytes[at] === 0x2e || bytes[at] === 0x65 || bytes[at] === 0x45)) return false;
    this.#at = at;
    this.#number = negative ? -number : number;
    return true;
  }

  #first(key: number): boolean {
    if ((this.#seen & key) !== 0) return false;
    this.#seen |= key;
    return true;
  }

  #isKey(key: Buffer, start: number, size: number): boolean {
    return key.length === size && this.#is(key, start);
  }

  #is(key: Buffer, start: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  /** The next byte that is no white space, not passed; −1 at the end. */
  #peek(): number {
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at];
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return byte;
      this.#at++;
    }
    return -1;
  }

  #expect(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#at++;
    return true;
  }
}
