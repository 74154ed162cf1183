/**
 * The hot path of headers: one pass over the bytes of a hot command's header, which notes where each field of the row
 * lies and decodes nothing. Whatever is unusual (nesting, escaped names, repeated keys, numbers that are no plain
 * integers, lone surrogates, malformed JSON…) makes the pass give up, and the general codec judges; both agree on
 * everything that the scanner accepts. The scanner is also the HeaderView that handlers read the fields from.
 */
import { isUtf8 } from 'node:buffer';
import { assert } from '../common/mod.ts';
import { Serialization } from './frame.ts';
import type { HeaderView } from './handler.ts';
import { binaryFixedSize } from './header-binary.ts';
import { type HotRow, nameHashStart, nameHashStep } from './hot-row.ts';
import { languageNames } from './languages.ts';
import { NameCache } from './name-cache.ts';
import { absentValue, missingField, readValue } from './rows.ts';

/** What a value's bytes hold besides plain ASCII. */
const Mark = { NONE: 0, ESCAPED: 1, WIDE: 2 } as const;

/** Bits of the keys at the top level, each of which may come once. */
const Seen = { CODE: 1, FLAG: 2, OPAQUE: 4, VERSION: 8, LANGUAGE: 16, EXT_FIELDS: 32 } as const;

/** 0 for a byte that means itself inside a JSON string, 1 for the rest: control characters, `"`, `\`, above ASCII. */
const special = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  if (byte < 0x20 || byte === 0x22 || byte === 0x5c || byte >= 0x80) special[byte] = 1;
}

/** The character of a short escape by the letter behind the backslash; 0 for none. */
const unescaped = new Uint8Array(256);
for (const pair of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  unescaped[pair.charCodeAt(0)] = pair.charCodeAt(1);
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const keyCode = ascii('code');
const keyFlag = ascii('flag');
const keyOpaque = ascii('opaque');
const keyVersion = ascii('version');
const keyLanguage = ascii('language');
const keyExtFields = ascii('extFields');
/** The top level as clients spell it, without white space. */
const usualCode = ascii('"code":');
const usualFlag = ascii('"flag":');
const usualOpaque = ascii('"opaque":');
const usualVersion = ascii('"version":');
const usualLanguage = ascii('"language":');
const usualJava = ascii('"language":"JAVA"');
const usualExtFields = ascii('"extFields":');
const usualSerialization = ascii('"serializeTypeCurrentRPC":"JSON"');

const literalTrue = ascii('true');
const literals = [ascii('null'), literalTrue, ascii('false')];

const slotsMax = 64;

export class HeaderScanner implements HeaderView {
  /** Of the header scanned or filled last. */
  code = 0;
  flag = 0;
  opaque = 0;
  version = 0;
  language: string | undefined;

  readonly #rows = new Map<number, HotRow>();
  readonly #names = new NameCache();
  readonly #fieldsMax: number;
  #row: HotRow | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  /** By slot: the value is `#bytes[start, end)`; a start of −1 means that there is none. */
  readonly #starts = new Int32Array(slotsMax);
  readonly #ends = new Int32Array(slotsMax);
  readonly #marks = new Uint8Array(slotsMax);

  /** Where the pass stands, and what the last value or number was. */
  #at = 0;
  #end = 0;
  #valueStart = 0;
  #valueEnd = 0;
  #valueMark = 0;
  #number = 0;
  #seen = 0;

  /** Unescaped values of this header, one behind the other. */
  #scratch = Buffer.alloc(0);
  #scratchAt = 0;

  constructor(rows: readonly HotRow[], fieldsMax: number) {
    this.#fieldsMax = fieldsMax;
    for (const row of rows) {
      assert(row.fieldCount <= slotsMax, 'a hot row fits the slots');
      this.#rows.set(row.command.row.code, row);
    }
  }

  /**
   * Scans `bytes[start, end)`, which must stay as they are while the view is used. False: it is no header of a hot
   * command, or an unusual one; nothing can be read then.
   */
  scan(bytes: Buffer, start: number, end: number, serialization: number): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#row = undefined;
    this.#scratchAt = 0;
    this.code = 0;
    this.flag = 0;
    this.opaque = 0;
    this.version = 0;
    this.language = undefined;
    if (serialization === Serialization.JSON) return this.#scanJson();
    return serialization === Serialization.BINARY && this.#scanBinary();
  }

  /** Takes the fields of a header that was decoded whole. */
  fill(row: HotRow, extFields: ReadonlyMap<string, string>): void {
    this.#begin(row);
    this.#scratchAt = 0;
    const { request } = row.command;
    const texts = request.map(({ wire }) => extFields.get(wire));
    const size = texts.reduce((sum, text) => sum + (text === undefined ? 0 : Buffer.byteLength(text)), 0);
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const [slot, text] of texts.entries()) {
      if (text === undefined) continue;
      this.#starts[slot] = at;
      at += bytes.write(text, at);
      this.#ends[slot] = at;
      this.#marks[slot] = Mark.WIDE;
    }
    this.#bytes = bytes;
  }

  /** The row of the header; for strict rows, throws ResponseError when a required field is missing. */
  checkRequired(): void {
    const { command } = this.#current();
    if (command.row.strict !== true) return;
    for (let slot = 0; slot < command.request.length; slot++) {
      if (this.#starts[slot] < 0 && command.request[slot].required) throw missingField(command, command.request[slot]);
    }
  }

  // What handlers read.

  has(slot: number): boolean {
    return this.#starts[slot] >= 0;
  }

  text(slot: number): string {
    const start = this.#starts[slot];
    if (start < 0) return '';
    const mark = this.#marks[slot];
    if (mark === Mark.NONE) return this.#bytes.toString('latin1', start, this.#ends[slot]);
    if (mark === Mark.WIDE) return this.#bytes.toString('utf8', start, this.#ends[slot]);
    // A string is a copy: the scratch space is free again.
    const scratchAt = this.#scratchAt;
    const text = this.#unescape(slot).toString('utf8');
    this.#scratchAt = Math.min(scratchAt, this.#scratchAt);
    return text;
  }

  name(slot: number): string {
    if (this.#starts[slot] < 0) return '';
    if ((this.#marks[slot] & Mark.ESCAPED) !== 0) return this.text(slot);
    return this.#names.get(this.#bytes, this.#starts[slot], this.#ends[slot]);
  }

  i32(slot: number): number {
    return this.#readNumber(slot);
  }

  i64(slot: number): number {
    return this.#readNumber(slot);
  }

  bool(slot: number): boolean {
    const start = this.#starts[slot];
    if ((this.#marks[slot] & Mark.ESCAPED) !== 0) return start >= 0 && this.text(slot).toLowerCase() === 'true';
    if (start < 0 || this.#ends[slot] - start !== literalTrue.length) return false;
    for (let i = 0; i < literalTrue.length; i++) if ((this.#bytes[start + i] | 0x20) !== literalTrue[i]) return false;
    return true;
  }

  bytes(slot: number): Uint8Array {
    const start = this.#starts[slot];
    if (start < 0) return this.#bytes.subarray(0, 0);
    const mark = this.#marks[slot];
    const raw = (mark & Mark.ESCAPED) !== 0 ? this.#unescape(slot) : this.#bytes.subarray(start, this.#ends[slot]);
    // What is no UTF-8 becomes U+FFFD, as everywhere where text is decoded.
    return (mark & Mark.WIDE) === 0 || isUtf8(raw) ? raw : Buffer.from(raw.toString('utf8'));
  }

  #current(): HotRow {
    assert(this.#row !== undefined, 'a header is read after it was scanned');
    return this.#row;
  }

  /** Plain digits are read in place as long as they fit for sure, all else by the general reader. */
  #readNumber(slot: number): number {
    const start = this.#starts[slot];
    const end = this.#ends[slot];
    const field = this.#current().command.request[slot];
    if (start < 0 || start === end) return absentValue('i64') as number;
    if (end - start > (field.kind === 'i32' ? 9 : 15)) return readValue(field, this.text(slot)) as number;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = this.#bytes[at] - 0x30;
      if (digit < 0 || digit > 9) return readValue(field, this.text(slot)) as number;
      value = value * 10 + digit;
    }
    return value;
  }

  /** The bytes of an escaped value, with its escapes resolved, in scratch space. */
  #unescape(slot: number): Buffer {
    const end = this.#ends[slot];
    const start = this.#starts[slot];
    if (this.#scratch.length < this.#scratchAt + end - start) this.#growScratch(end - start);
    const { length } = this.#scratch;
    const from = this.#scratchAt;
    const source = this.#bytes;
    const target = this.#scratch;
    let to = from;
    for (let at = start; at < end; at++) {
      const byte = source[at];
      if (byte !== 0x5c) target[to++] = byte;
      else {
        const letter = source[++at];
        if (letter !== 0x75) target[to++] = unescaped[letter];
        else {
          let code = hex4(source, at + 1);
          at += 4;
          if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) + hex4(source, at + 3) - 0xdc00;
            at += 6;
          }
          to = putUtf8(target, to, code);
        }
      }
    }
    assert(to <= length, 'text does not grow when unescaped');
    this.#scratchAt = to;
    return target.subarray(from, to);
  }

  /** What was handed out of the old scratch stays valid: it is not reused. */
  #growScratch(size: number): void {
    this.#scratch = Buffer.allocUnsafeSlow(Math.max(4096, 2 * this.#scratch.length, size));
    this.#scratchAt = 0;
  }

  #begin(row: HotRow): void {
    this.#row = row;
    for (let slot = 0; slot < row.fieldCount; slot++) this.#starts[slot] = -1;
  }

  #put(slot: number): void {
    this.#starts[slot] = this.#valueStart;
    this.#ends[slot] = this.#valueEnd;
    this.#marks[slot] = this.#valueMark;
  }

  // The pass over a JSON header. Each step returns whether all was usual, and leaves `#at` behind what it read.

  #scanJson(): boolean {
    this.#seen = 0;
    if (!this.#expect(0x7b)) return false;
    for (;;) {
      if (!this.#scanPair()) return false;
      const next = this.#peek();
      this.#at++;
      if (next === 0x2c) continue;
      if (next !== 0x7d) return false;
      break;
    }
    return this.#peek() === -1 && this.#row !== undefined;
  }

  /** A key and its value at the top level: first as all clients spell them, else in any spelling. */
  #scanPair(): boolean {
    switch (this.#bytes[this.#at + 1]) {
      case 0x63:
        if (this.#pass(usualCode)) return this.#scanInt32(Seen.CODE) && this.#choose(this.#number);
        break;
      case 0x65:
        if (this.#pass(usualExtFields)) return this.#first(Seen.EXT_FIELDS) && this.#scanExtFields();
        break;
      case 0x66:
        if (this.#pass(usualFlag)) return this.#scanFlag();
        break;
      case 0x6c:
        if (this.#pass(usualJava)) {
          this.language = 'JAVA';
          return this.#first(Seen.LANGUAGE);
        }
        if (this.#pass(usualLanguage)) return this.#scanLanguage();
        break;
      case 0x6f:
        if (this.#pass(usualOpaque)) return this.#scanOpaque();
        break;
      case 0x73:
        if (this.#pass(usualSerialization)) return true;
        break;
      case 0x76:
        if (this.#pass(usualVersion)) return this.#scanVersion();
        break;
    }
    return this.#scanAnyPair();
  }

  #scanAnyPair(): boolean {
    if (!this.#expect(0x22) || !this.#scanText() || (this.#valueMark & Mark.ESCAPED) !== 0) return false;
    const start = this.#valueStart;
    const size = this.#valueEnd - start;
    if (!this.#expect(0x3a)) return false;
    if (this.#isKey(keyCode, start, size)) return this.#scanInt32(Seen.CODE) && this.#choose(this.#number);
    if (this.#isKey(keyFlag, start, size)) return this.#scanFlag();
    if (this.#isKey(keyOpaque, start, size)) return this.#scanOpaque();
    if (this.#isKey(keyVersion, start, size)) return this.#scanVersion();
    if (this.#isKey(keyLanguage, start, size)) return this.#scanLanguage();
    if (this.#isKey(keyExtFields, start, size)) return this.#first(Seen.EXT_FIELDS) && this.#scanExtFields();
    return this.#scanValue();
  }

  #scanFlag(): boolean {
    if (!this.#scanInt32(Seen.FLAG)) return false;
    this.flag = this.#number;
    return true;
  }

  #scanOpaque(): boolean {
    if (!this.#scanInt32(Seen.OPAQUE)) return false;
    this.opaque = this.#number;
    return true;
  }

  #scanVersion(): boolean {
    if (!this.#scanInt32(Seen.VERSION)) return false;
    this.version = this.#number;
    return true;
  }

  /** Only hot commands go on, and only when the code stands before the fields. */
  #choose(code: number): boolean {
    const row = this.#rows.get(code);
    if (row === undefined || (this.#seen & Seen.EXT_FIELDS) !== 0) return false;
    this.code = code;
    this.#begin(row);
    return true;
  }

  #scanLanguage(): boolean {
    if (!this.#first(Seen.LANGUAGE) || !this.#expect(0x22) || !this.#scanText() || this.#valueMark !== Mark.NONE) {
      return false;
    }
    this.language = this.#names.get(this.#bytes, this.#valueStart, this.#valueEnd);
    return true;
  }

  #scanExtFields(): boolean {
    const row = this.#row;
    if (row === undefined || !this.#expect(0x7b)) return false;
    if (this.#peek() === 0x7d) {
      this.#at++;
      return true;
    }
    for (let count = 1; count <= this.#fieldsMax; count++) {
      if (!this.#scanUsualField(row)) {
        const slot = this.#scanName(row);
        if (slot === unusual || !this.#expect(0x3a) || !this.#scanValue()) return false;
        if (slot >= 0) this.#put(slot);
      }
      const next = this.#peek();
      this.#at++;
      if (next === 0x7d) return true;
      if (next !== 0x2c) return false;
    }
    return false;
  }

  /** `"name":"value"` without white space or an escaped name: almost all fields. Else nothing is read. */
  #scanUsualField(row: HotRow): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    if (bytes[at] !== 0x22) return false;
    let slot: number;
    if (bytes[at + 2] === 0x22) {
      slot = row.letters[bytes[at + 1]];
      at += 2;
    } else {
      const nameAt = at + 1;
      let hash = nameHashStart;
      for (at = nameAt; at < end && special[bytes[at]] === 0; at++) hash = nameHashStep(hash, bytes[at]);
      if (at >= end || bytes[at] !== 0x22) return false;
      slot = row.slotOf(bytes, nameAt, at, hash);
    }
    if (slot < 0 || bytes[at + 1] !== 0x3a || bytes[at + 2] !== 0x22) return false;
    const valueAt = at + 3;
    for (at = valueAt; at < end && special[bytes[at]] === 0; at++);
    if (at < end && bytes[at] === 0x22) {
      this.#starts[slot] = valueAt;
      this.#ends[slot] = at;
      this.#marks[slot] = Mark.NONE;
      this.#at = at + 1;
      return true;
    }
    const fieldAt = this.#at;
    if (this.#scanText(valueAt, at)) {
      this.#put(slot);
      return true;
    }
    this.#at = fieldAt;
    return false;
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

  /** The rest of a string that begins at `start`, behind its opening quote, and is plain up to `from`. */
  #scanText(start = this.#at, from = start): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = from;
    let mark = 0;
    this.#valueStart = start;
    for (;;) {
      while (at < end && special[bytes[at]] === 0) at++;
      if (at >= end) return false;
      const byte = bytes[at];
      if (byte === 0x22) break;
      if (byte >= 0x80) {
        mark |= Mark.WIDE;
        at++;
      } else if (byte === 0x5c) {
        const size = this.#escapeSize(at);
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

  /** Bytes of the escape at `at`, a surrogate pair's both halves; 0 for what is malformed, or a lone surrogate. */
  #escapeSize(at: number): number {
    const letter = at + 1 < this.#end ? this.#bytes[at + 1] : 0;
    if (unescaped[letter] !== 0) return 2;
    if (letter !== 0x75 || at + 6 > this.#end) return 0;
    const code = hex4(this.#bytes, at + 2);
    if (code < 0) return 0;
    if (code < 0xd800 || code > 0xdfff) return 6;
    if (code >= 0xdc00 || at + 12 > this.#end) return 0;
    if (this.#bytes[at + 6] !== 0x5c || this.#bytes[at + 7] !== 0x75) return 0;
    const low = hex4(this.#bytes, at + 8);
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
  }

  #scanInt32(key: number): boolean {
    const first = this.#peek();
    if (!this.#first(key) || (first !== 0x2d && (first < 0x30 || first > 0x39))) return false;
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

  /** Passes `text` when it stands here, all of it. */
  #pass(text: Buffer): boolean {
    if (this.#at + text.length > this.#end || !this.#is(text, this.#at)) return false;
    this.#at += text.length;
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

  // The pass over a binary header; header-binary.ts draws it.

  #scanBinary(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    if (this.#end - start < binaryFixedSize + 8) return false;
    this.code = bytes.readInt16BE(start);
    const row = this.#rows.get(this.code);
    if (row === undefined) return false;
    this.#begin(row);
    this.language = languageNames[bytes[start + 2]];
    this.version = bytes.readInt16BE(start + 3);
    this.opaque = bytes.readInt32BE(start + 5);
    this.flag = bytes.readInt32BE(start + 9);
    const remarkSize = bytes.readInt32BE(start + binaryFixedSize);
    if (remarkSize < 0 || remarkSize > this.#end - start - binaryFixedSize - 8) return false;
    const extAt = start + binaryFixedSize + 4 + remarkSize;
    const extSize = bytes.readInt32BE(extAt);
    if (extSize < 0 || extSize > this.#end - extAt - 4) return false;
    return this.#scanBinaryFields(row, extAt + 4, extAt + 4 + extSize);
  }

  #scanBinaryFields(row: HotRow, start: number, end: number): boolean {
    const bytes = this.#bytes;
    let at = start;
    for (let count = 0; at < end; count++) {
      if (count === this.#fieldsMax || at + 6 > end) return false;
      const nameAt = at + 2;
      const nameSize = bytes.readInt16BE(at);
      if (nameSize < 0 || nameSize > end - nameAt - 4) return false;
      const nameEnd = nameAt + nameSize;
      let hash = nameHashStart;
      for (let i = nameAt; i < nameEnd; i++) hash = nameHashStep(hash, bytes[i]);
      const slot = row.slotOf(bytes, nameAt, nameEnd, hash);
      const valueSize = bytes.readInt32BE(nameEnd);
      if (valueSize < 0 || valueSize > end - nameEnd - 4) return false;
      this.#valueStart = valueSize === 0 ? -1 : nameEnd + 4;
      this.#valueEnd = nameEnd + 4 + valueSize;
      this.#valueMark = Mark.WIDE;
      if (slot >= 0) this.#put(slot);
      at = this.#valueEnd;
    }
    return true;
  }
}

const unusual = -2;

/** The value of four hexadecimal digits; −1 when they are none. */
function hex4(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i];
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = (value << 4) | (byte - 0x30);
    else if (lower >= 0x61 && lower <= 0x66) value = (value << 4) | (lower - 0x57);
    else return -1;
  }
  return value;
}

function putUtf8(target: Buffer, at: number, code: number): number {
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  if (code < 0x800) {
    target[at] = 0xc0 | (code >> 6);
    target[at + 1] = 0x80 | (code & 0x3f);
    return at + 2;
  }
  if (code < 0x10000) {
    target[at] = 0xe0 | (code >> 12);
    target[at + 1] = 0x80 | ((code >> 6) & 0x3f);
    target[at + 2] = 0x80 | (code & 0x3f);
    return at + 3;
  }
  target[at] = 0xf0 | (code >> 18);
  target[at + 1] = 0x80 | ((code >> 12) & 0x3f);
  target[at + 2] = 0x80 | ((code >> 6) & 0x3f);
  target[at + 3] = 0x80 | (code & 0x3f);
  return at + 4;
}
