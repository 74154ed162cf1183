/**
 * Writes frames into an outbox. The fixed pieces of a JSON header are bytes made beforehand, numbers become digits in
 * place, and text is escaped while it is copied; the order of the keys is Java's (alphabetical).
 */
import { assert } from '../common/mod.ts';
import { AnswerTemplate } from './answer-template.ts';
import { digitCount, writeDigits } from './digits.ts';
import type { FieldValues } from './field-values.ts';
import { lengthSize, prefixSize, Serialization } from './frame.ts';
import { binaryFixedSize } from './header-binary.ts';
import { languageNames, versionCode } from './languages.ts';
import { type Body, bodySize, type Outbox } from './outbox.ts';
import type { PreparedField, PreparedHeader } from './rows.ts';

/** What all frames of one kind (answers, requests, one-way requests) from one sender have in common. */
export interface FrameKind {
  readonly flag: number;
  /** The language's number in the binary header. */
  readonly languageCode: number;
  /** `,"flag":…,"language":"…","opaque":` */
  readonly jsonMiddle: Buffer;
}

export function frameKind(flag: number, language: string): FrameKind {
  const languageCode = languageNames.indexOf(language);
  assert(languageCode >= 0, 'our own language has a number');
  return { flag, languageCode, jsonMiddle: ascii(`,"flag":${flag},"language":"${language}","opaque":`) };
}

interface FrameHead {
  readonly kind: FrameKind;
  readonly serialization: number;
  readonly code: number;
  readonly opaque: number;
  readonly remark: string | undefined;
}

type Extra = Readonly<Record<string, string>>;

function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

const jsonCode = ascii('{"code":');
const jsonSuccess = ascii('{"code":0,"extFields":{');
const jsonExtFields = ascii(',"extFields":{');
const jsonRemark = ascii(',"remark":"');
const jsonEnd = ascii(`,"serializeTypeCurrentRPC":"JSON","version":${versionCode}}`);
const jsonTrue = ascii('true');
const jsonFalse = ascii('false');
/** More than all fixed pieces of a JSON header and its numbers. */
const jsonFixedMax = 256;
const headerSizeMax = 0xffffff;
const binaryCodeMax = 0x7fff;
/** From here on the engine's own copy is faster than a loop. */
const longPiece = 24;

/** A header without fields of its own. */
export const noFields: PreparedHeader = {
  fields: [],
  sizeWithoutTexts: 0,
  template: new AnswerTemplate([]),
};

/** Queues a frame. `values` stand in the order of the header's fields. */
export function writeFrame(
  outbox: Outbox,
  head: FrameHead,
  header: PreparedHeader,
  values: FieldValues | undefined,
  extra: Extra | undefined,
  body: Body | undefined,
  taken: (() => void) | undefined,
): void {
  // A code above 32,767 does not fit the binary header; every reader decodes both.
  const binary = head.serialization === Serialization.BINARY && head.code <= binaryCodeMax;
  if (!binary && head.code === 0 && head.remark === undefined && values !== undefined) {
    writeSuccess(outbox, head, header, values, extra, body, taken);
    return;
  }
  const block = outbox.reserve(headerSizeBound(head, header, values, extra));
  const start = outbox.at;
  const end = binary
    ? writeBinaryHeader(block, start + prefixSize, head, header.fields, values, extra)
    : writeJsonHeader(block, start + prefixSize, head, header.fields, values, extra);
  finish(outbox, block, start, end, binary, body, taken);
}

/** A success in JSON: like the last one of its command, if it can be. */
function writeSuccess(
  outbox: Outbox,
  head: FrameHead,
  header: PreparedHeader,
  values: FieldValues,
  extra: Extra | undefined,
  body: Body | undefined,
  taken: (() => void) | undefined,
): void {
  const { template } = header;
  let block = outbox.reserve(prefixSize + template.size);
  if (template.write(block, outbox.at + prefixSize, head.kind, head.opaque, values, extra)) {
    finish(outbox, block, outbox.at, outbox.at + prefixSize + template.size, false, body, taken);
    return;
  }
  block = outbox.reserve(headerSizeBound(head, header, values, extra));
  const start = outbox.at + prefixSize;
  const end = writeJsonHeader(block, start, head, header.fields, values, extra);
  const fieldsAt = jsonSuccess.length;
  const opaqueEnd = end - start - jsonEnd.length;
  template.keep(block.subarray(start, end), head.kind, head.opaque, values, extra, fieldsAt, opaqueEnd);
  finish(outbox, block, outbox.at, end, false, body, taken);
}

/** The prefix of a frame whose header ends at `end`, and its body. */
function finish(
  outbox: Outbox,
  block: Buffer,
  start: number,
  end: number,
  binary: boolean,
  body: Body | undefined,
  taken: (() => void) | undefined,
): void {
  const headerSize = end - start - prefixSize;
  assert(headerSize <= headerSizeMax, 'a header fits its 24-bit length');
  writeInt32(block, start, lengthSize + headerSize + bodySize(body));
  writeInt32(block, start + lengthSize, headerSize);
  if (binary) block[start + lengthSize] = Serialization.BINARY;
  outbox.advance(end);
  outbox.append(body, taken);
}

/** A UTF-16 unit takes up to six bytes, as an escape. */
function headerSizeBound(
  head: FrameHead,
  header: PreparedHeader,
  values: FieldValues | undefined,
  extra: Extra | undefined,
): number {
  let size = prefixSize + jsonFixedMax + header.sizeWithoutTexts;
  if (head.remark !== undefined) size += 6 * head.remark.length;
  if (values !== undefined) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'string') size += 6 * value.length;
      else if (typeof value === 'object') size += value.size;
    }
  }
  if (extra !== undefined) for (const name in extra) size += 6 * (name.length + extra[name].length) + 8;
  return size;
}

function writeJsonHeader(
  block: Buffer,
  start: number,
  head: FrameHead,
  fields: readonly PreparedField[],
  values: FieldValues | undefined,
  extra: Extra | undefined,
): number {
  const { kind, code } = head;
  let at =
    code === 0
      ? writeBytes(block, start, jsonSuccess)
      : writeBytes(block, writeNumber(block, writeBytes(block, start, jsonCode), code), jsonExtFields);
  const firstAt = at;
  if (values !== undefined) {
    for (let i = 0; i < fields.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      at = writeBytes(block, at, fields[i].jsonKey);
      if (typeof value === 'number') at = writeNumber(block, at, value);
      else if (typeof value === 'string') at = writeJsonText(block, at, value);
      else if (typeof value === 'boolean') at = writeBytes(block, at, value ? jsonTrue : jsonFalse);
      else {
        value.write(block, at);
        at += value.size;
      }
      block[at] = 0x22;
      block[at + 1] = 0x2c;
      at += 2;
    }
  }
  if (extra !== undefined) at = writeJsonExtra(block, at, extra);
  // The last comma becomes the closing brace; Java writes no extFields at all when there are none.
  if (at === firstAt) at -= jsonExtFields.length;
  else block[at - 1] = 0x7d;
  at = writeBytes(block, at, kind.jsonMiddle);
  at = writeNumber(block, at, head.opaque);
  if (head.remark !== undefined) {
    at = writeJsonText(block, writeBytes(block, at, jsonRemark), head.remark);
    block[at++] = 0x22;
  }
  return writeBytes(block, at, jsonEnd);
}

function writeJsonExtra(block: Buffer, start: number, extra: Extra): number {
  let at = start;
  for (const name in extra) {
    block[at++] = 0x22;
    at = writeJsonText(block, at, name);
    block[at++] = 0x22;
    block[at++] = 0x3a;
    block[at++] = 0x22;
    at = writeJsonText(block, at, extra[name]);
    block[at++] = 0x22;
    block[at++] = 0x2c;
  }
  return at;
}

function writeBinaryHeader(
  block: Buffer,
  start: number,
  head: FrameHead,
  fields: readonly PreparedField[],
  values: FieldValues | undefined,
  extra: Extra | undefined,
): number {
  block[start] = head.code >> 8;
  block[start + 1] = head.code;
  block[start + 2] = head.kind.languageCode;
  block[start + 3] = versionCode >> 8;
  block[start + 4] = versionCode & 0xff;
  writeInt32(block, start + 5, head.opaque);
  writeInt32(block, start + 9, head.kind.flag);
  let at = writeBinaryText(block, start + binaryFixedSize, head.remark ?? '');
  const extAt = at;
  at += 4;
  if (values !== undefined) {
    for (let i = 0; i < fields.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      at = writeBytes(block, at, fields[i].binaryKey);
      if (typeof value === 'number') {
        const digitsAt = at + 4;
        const digitsEnd = writeNumber(block, digitsAt, value);
        writeInt32(block, at, digitsEnd - digitsAt);
        at = digitsEnd;
      } else at = writeBinaryText(block, at, String(value));
    }
  }
  if (extra !== undefined) {
    for (const name in extra) {
      const size = block.write(name, at + 2);
      block.writeInt16BE(size, at);
      at = writeBinaryText(block, at + 2 + size, extra[name]);
    }
  }
  writeInt32(block, extAt, at - extAt - 4);
  return at;
}

function writeBinaryText(block: Buffer, at: number, text: string): number {
  const size = block.write(text, at + 4);
  writeInt32(block, at, size);
  return at + 4 + size;
}

function writeBytes(block: Buffer, at: number, bytes: Buffer): number {
  const size = bytes.length;
  if (size >= longPiece) block.set(bytes, at);
  else for (let i = 0; i < size; i++) block[at + i] = bytes[i];
  return at + size;
}

function writeInt32(block: Buffer, at: number, value: number): void {
  block[at] = value >>> 24;
  block[at + 1] = value >>> 16;
  block[at + 2] = value >>> 8;
  block[at + 3] = value;
}

/** The decimal digits of a safe integer. */
function writeNumber(block: Buffer, at: number, value: number): number {
  assert(Number.isSafeInteger(value), 'a header number is a safe integer');
  let next = at;
  if (value < 0) block[next++] = 0x2d;
  const count = digitCount(Math.abs(value));
  writeDigits(block, next, Math.abs(value), count);
  return next + count;
}

const hexDigits = ascii('0123456789abcdef');
/** What follows the backslash for `"`, `\` and the control characters that have a short form. */
const shortEscapes = new Uint8Array(128);
for (const [character, letter] of ['""', '\\\\', '\bb', '\tt', '\nn', '\ff', '\rr']) {
  shortEscapes[character.charCodeAt(0)] = letter.charCodeAt(0);
}

/** Text as the inside of a JSON string, in UTF-8. */
function writeJsonText(block: Buffer, start: number, text: string): number {
  let at = start;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return writeJsonWideText(block, at, text, i);
    if (unit >= 0x20 && unit !== 0x22 && unit !== 0x5c) block[at++] = unit;
    else at = writeJsonEscape(block, at, unit);
  }
  return at;
}

/** The rest of a text from its first character outside ASCII on. */
function writeJsonWideText(block: Buffer, start: number, text: string, from: number): number {
  let at = start;
  for (const character of text.slice(from)) {
    const unit = character.charCodeAt(0);
    if (unit >= 0x80) at += block.write(character, at);
    else if (unit >= 0x20 && unit !== 0x22 && unit !== 0x5c) block[at++] = unit;
    else at = writeJsonEscape(block, at, unit);
  }
  return at;
}

function writeJsonEscape(block: Buffer, at: number, unit: number): number {
  block[at] = 0x5c;
  if (shortEscapes[unit] !== 0) {
    block[at + 1] = shortEscapes[unit];
    return at + 2;
  }
  block[at + 1] = 0x75;
  block[at + 2] = 0x30;
  block[at + 3] = 0x30;
  block[at + 4] = hexDigits[unit >> 4];
  block[at + 5] = hexDigits[unit & 15];
  return at + 6;
}
