/**
 * The header of a hot command as handlers read it: nothing is decoded before it is asked for. Whoever scanned the
 * bytes (json-scan.ts, binary-scan.ts, or header-shapes.ts from memory) noted where the value of each field of the row
 * lies, relative to where the header begins.
 */
import { isUtf8 } from 'node:buffer';
import { assert } from '../common/mod.ts';
import type { HeaderView } from './handler.ts';
import type { HotRow } from './hot-row.ts';
import { escapeSize, hexAt, putUtf8, shortEscape } from './json-escapes.ts';
import { NameCache } from './name-cache.ts';
import { absentValue, missingField, type PreparedField, readValue } from './rows.ts';

/** What a value's bytes hold besides plain ASCII. */
export const Mark = { NONE: 0, ESCAPED: 1, WIDE: 2 } as const;

export const slotsMax = 64;

const literalTrue = Buffer.from('true', 'latin1');

export class ScannedHeader implements HeaderView {
  code = 0;
  flag = 0;
  opaque = 0;
  version = 0;
  language: string | undefined;
  row: HotRow | undefined;
  bytes: Buffer = Buffer.alloc(0);
  /** Where the header begins in `bytes`. */
  base = 0;
  /** By slot: the value is `bytes[base + start, base + end)`; a start of −1 means that there is none. */
  starts: Int32Array = new Int32Array(slotsMax);
  ends: Int32Array = new Int32Array(slotsMax);
  marks: Uint8Array = new Uint8Array(slotsMax);
  readonly names = new NameCache();

  /** For strict rows, throws ResponseError when a required field is missing. */
  checkRequired(): void {
    const { command } = this.#current();
    if (command.row.strict !== true) return;
    for (let slot = 0; slot < command.request.length; slot++) {
      if (this.starts[slot] < 0 && command.request[slot].required) throw missingField(command, command.request[slot]);
    }
  }

  has(slot: number): boolean {
    return this.starts[slot] >= 0;
  }

  text(slot: number): string {
    if (this.starts[slot] < 0) return '';
    const start = this.base + this.starts[slot];
    const end = this.base + this.ends[slot];
    const mark = this.marks[slot];
    if (mark === Mark.NONE) return this.bytes.toString('latin1', start, end);
    if (mark === Mark.WIDE) return this.bytes.toString('utf8', start, end);
    return this.#unescaped(start, end).toString('utf8');
  }

  name(slot: number): string {
    if (this.starts[slot] < 0) return '';
    if ((this.marks[slot] & Mark.ESCAPED) !== 0) return this.text(slot);
    return this.names.get(this.bytes, this.base + this.starts[slot], this.base + this.ends[slot]);
  }

  i32(slot: number): number {
    return this.#readNumber(slot);
  }

  i64(slot: number): number {
    return this.#readNumber(slot);
  }

  bool(slot: number): boolean {
    if (this.starts[slot] < 0) return false;
    if ((this.marks[slot] & Mark.ESCAPED) !== 0) return this.text(slot).toLowerCase() === 'true';
    const start = this.base + this.starts[slot];
    if (this.ends[slot] - this.starts[slot] !== literalTrue.length) return false;
    for (let i = 0; i < literalTrue.length; i++) if ((this.bytes[start + i] | 0x20) !== literalTrue[i]) return false;
    return true;
  }

  copy(slot: number, target: Buffer, at: number): number {
    if (this.starts[slot] < 0) return 0;
    const start = this.base + this.starts[slot];
    const end = this.base + this.ends[slot];
    const mark = this.marks[slot];
    if (end - start > target.length - at || (mark & Mark.WIDE) !== 0)
      return this.#copyOdd(start, end, mark, target, at);
    if (mark === Mark.NONE) return this.bytes.copy(target, at, start, end);
    return resolveEscapes(this.bytes, start, end, target, at) - at;
  }

  /** Text that may be no UTF-8, which becomes U+FFFD as everywhere where text is decoded; or too long to be written. */
  #copyOdd(start: number, end: number, mark: number, target: Buffer, at: number): number {
    const unescaped = (mark & Mark.ESCAPED) !== 0 ? this.#unescaped(start, end) : this.bytes.subarray(start, end);
    const text = isUtf8(unescaped) ? unescaped : Buffer.from(unescaped.toString('utf8'));
    text.copy(target, at);
    return text.length;
  }

  #unescaped(start: number, end: number): Buffer {
    const target = Buffer.allocUnsafe(end - start);
    return target.subarray(0, resolveEscapes(this.bytes, start, end, target, 0));
  }

  #current(): HotRow {
    assert(this.row !== undefined, 'a header is read after it was scanned');
    return this.row;
  }

  /** Plain digits are read in place as long as they fit for sure, all else by the general reader. */
  #readNumber(slot: number): number {
    if (this.starts[slot] < 0) return absentValue('i64') as number;
    const start = this.base + this.starts[slot];
    const end = this.base + this.ends[slot];
    if (start === end) return absentValue('i64') as number;
    // Most numbers are short; the kind is asked for only where it matters.
    if (end - start > 9 && (end - start > 15 || this.#field(slot).kind === 'i32')) return this.#readAnyNumber(slot);
    const { bytes } = this;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = bytes[at] - 0x30;
      if (digit < 0 || digit > 9) return this.#readAnyNumber(slot);
      value = value * 10 + digit;
    }
    return value;
  }

  #readAnyNumber(slot: number): number {
    return readValue(this.#field(slot), this.text(slot)) as number;
  }

  #field(slot: number): PreparedField {
    return this.#current().command.request[slot];
  }
}

/** Copies a scanned value into `target`, where its raw size is free, with its escapes resolved. Gives the end. */
function resolveEscapes(source: Buffer, start: number, end: number, target: Buffer, from: number): number {
  let to = from;
  let at = start;
  while (at < end) {
    const byte = source[at];
    if (byte !== 0x5c) {
      target[to++] = byte;
      at++;
    } else if (isControlEscape(source, at)) {
      // What separates properties: almost all escapes are of this kind.
      target[to++] = source[at + 5] - 0x30;
      at += 6;
    } else {
      const size = escapeSize(source, at, end);
      assert(size > 0, 'a scanned value has whole escapes');
      if (size === 2) target[to++] = shortEscape(source[at + 1]);
      else if (size === 6) to = putUtf8(target, to, hexAt(source, at + 2));
      else to = putUtf8(target, to, surrogatesAt(source, at));
      at += size;
    }
  }
  return to;
}

/** `\u0000` to `\u0009`, in an escape that is known to be whole. */
function isControlEscape(source: Buffer, at: number): boolean {
  return (
    source[at + 1] === 0x75 &&
    source[at + 5] <= 0x39 &&
    source[at + 4] === 0x30 &&
    source[at + 3] === 0x30 &&
    source[at + 2] === 0x30
  );
}

function surrogatesAt(source: Buffer, at: number): number {
  return 0x10000 + ((hexAt(source, at + 2) - 0xd800) << 10) + hexAt(source, at + 8) - 0xdc00;
}
