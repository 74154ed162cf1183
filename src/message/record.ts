import { assert, crc32, isSafeI64, readI64, writeI64 } from '../common/mod.ts';
import { SysFlag } from './flags.ts';

/**
 * A message as it lies in the commit log and travels in pull responses, big-endian. The only place that spells it.
 *
 *      0  i32  total size            of the whole record
 *      4  i32  magic                 V1 0xDAA320A7; V2 0xDAA320AB when the topic is longer than 127 bytes
 *      8  i32  body CRC              CRC-32 of the stored body & 0x7FFFFFFF
 *     12  i32  queue id
 *     16  i32  flag                  the user's
 *     20  i64  queue offset
 *     28  i64  physical offset       of the record's first byte in the log
 *     36  i32  sysFlag
 *     40  i64  born timestamp        ms
 *     48       born host             4 or 16 bytes (sysFlag BORNHOST_V6) + i32 port
 *         i64  store timestamp       ms
 *              store host            4 or 16 bytes (sysFlag STOREHOST_V6) + i32 port
 *         i32  reconsume times
 *         i64  prepared transaction offset
 *         i32  body length, body
 *      u8|u16  topic length, topic   u8 in V1, u16 in V2
 *         u16  properties length, properties
 *
 * The log ends a file with a blank: i32 size of the rest of the file, i32 magic 0xCBD43194.
 */
const magicV1 = 0xdaa320a7 | 0;
const magicV2 = 0xdaa320ab | 0;
const magicBlank = 0xcbd43194 | 0;

/** A blank, and what a segment must keep free behind each record. */
export const blankSize = 8;

const sysFlagAt = 36;
const bornHostAt = 48;
const topicLengthMaxV1 = 127;
const portSize = 4;
const timestampSize = 8;
const crcMask = 0x7fff_ffff;
/** The smallest record: IPv4 hosts, everything else empty. */
const sizeMin = 88 + 1 + 2;

/** What `encodeRecord` writes. Buffers are read during the call only. */
export interface RecordFields {
  queueId: number;
  flag: number;
  queueOffset: number;
  physicalOffset: number;
  /** The bits for IPv6 hosts are set from the lengths of the addresses. */
  sysFlag: number;
  bornTimestampMs: number;
  /** 4 or 16 bytes. */
  bornIp: Uint8Array;
  bornPort: number;
  storeTimestampMs: number;
  /** 4 or 16 bytes. */
  storeIp: Uint8Array;
  storePort: number;
  reconsumeTimes: number;
  preparedTransactionOffset: number;
  body: Uint8Array;
  /** UTF-8. */
  topic: Uint8Array;
  /** UTF-8 (properties.ts). */
  properties: Uint8Array;
}

/** A decoded record. `body`, `properties` and the addresses are views of the bytes that it was decoded from. */
export interface StoredMessage extends Omit<RecordFields, 'topic'> {
  sizeBytes: number;
  bodyCrc: number;
  topic: string;
}

export function recordSize({ bornIp, storeIp, body, topic, properties }: SizedFields): number {
  const ips = bornIp.length + storeIp.length;
  const v2 = topic.length > topicLengthMaxV1 ? 1 : 0;
  return sizeMin - 8 + ips + body.length + v2 + topic.length + properties.length;
}

/** The fields whose size differs from record to record. */
type SizedFields = Pick<RecordFields, 'bornIp' | 'storeIp' | 'body' | 'topic' | 'properties'>;

/** Writes the record at `at` and gives its size. The caller has checked limits and room. */
export function encodeRecord(target: Uint8Array, at: number, fields: RecordFields): number {
  const { bornIp, storeIp, body, topic, properties } = fields;
  assert(bornIp.length === 4 || bornIp.length === 16, 'a born host has 4 or 16 bytes');
  assert(storeIp.length === 4 || storeIp.length === 16, 'a store host has 4 or 16 bytes');
  assert(topic.length <= 0x7fff && properties.length <= 0x7fff, 'topic and properties fit their length fields');
  const v2 = topic.length > topicLengthMaxV1;
  const size = recordSize(fields);
  assert(at >= 0 && at + size <= target.length, 'a record is written inside its buffer');

  writeI32(target, at, size);
  writeI32(target, at + 4, v2 ? magicV2 : magicV1);
  writeI32(target, at + 8, crc32(body) & crcMask);
  writeI32(target, at + 12, fields.queueId);
  writeI32(target, at + 16, fields.flag);
  writeI64(target, at + 20, fields.queueOffset);
  writeI64(target, at + 28, fields.physicalOffset);
  writeI32(target, at + 36, withHostBits(fields.sysFlag, bornIp, storeIp));
  writeI64(target, at + 40, fields.bornTimestampMs);
  let next = at + bornHostAt;
  next = writeBytes(target, next, bornIp);
  writeI32(target, next, fields.bornPort);
  next += portSize;
  writeI64(target, next, fields.storeTimestampMs);
  next = writeBytes(target, next + timestampSize, storeIp);
  writeI32(target, next, fields.storePort);
  next += portSize;
  writeI32(target, next, fields.reconsumeTimes);
  writeI64(target, next + 4, fields.preparedTransactionOffset);
  writeI32(target, next + 12, body.length);
  next = writeBytes(target, next + 16, body);
  if (v2) target[next++] = topic.length >> 8;
  target[next++] = topic.length;
  next = writeBytes(target, next, topic);
  target[next++] = properties.length >> 8;
  target[next++] = properties.length;
  next = writeBytes(target, next, properties);
  assert(next === at + size, 'a record has the size that was computed');
  return size;
}

/** Writes the end of a segment: `sizeBytes` is the rest of the file, this blank included. */
export function encodeBlank(target: Uint8Array, at: number, sizeBytes: number): void {
  assert(sizeBytes >= blankSize, 'a blank holds at least its own header');
  writeI32(target, at, sizeBytes);
  writeI32(target, at + 4, magicBlank);
}

/** Decodes the record at `at`. The bytes are our own, or `checkRecord` accepted them. */
export function decodeRecord(bytes: Uint8Array, at: number): StoredMessage {
  const sizeBytes = readI32(bytes, at);
  const magic = readI32(bytes, at + 4);
  assert(magic === magicV1 || magic === magicV2, 'a record that is decoded has a record magic');
  const sysFlag = readI32(bytes, at + sysFlagAt);
  const bornPortAt = at + bornHostAt + bornIpSize(sysFlag);
  const storeIpAt = bornPortAt + portSize + timestampSize;
  const storePortAt = storeIpAt + storeIpSize(sysFlag);
  const reconsumeAt = storePortAt + portSize;
  const bodyAt = reconsumeAt + 16;
  const bodyEnd = bodyAt + readI32(bytes, reconsumeAt + 12);
  const topicAt = bodyEnd + (magic === magicV2 ? 2 : 1);
  const topicEnd = topicAt + (magic === magicV2 ? readU16(bytes, bodyEnd) : bytes[bodyEnd]);
  const propertiesAt = topicEnd + 2;
  const propertiesEnd = propertiesAt + readU16(bytes, topicEnd);
  assert(propertiesEnd === at + sizeBytes, 'a record that is decoded has the size that its fields add up to');
  return {
    sizeBytes,
    bodyCrc: readI32(bytes, at + 8),
    queueId: readI32(bytes, at + 12),
    flag: readI32(bytes, at + 16),
    queueOffset: readI64(bytes, at + 20),
    physicalOffset: readI64(bytes, at + 28),
    sysFlag,
    bornTimestampMs: readI64(bytes, at + 40),
    bornIp: bytes.subarray(at + bornHostAt, bornPortAt),
    bornPort: readI32(bytes, bornPortAt),
    storeTimestampMs: readI64(bytes, bornPortAt + portSize),
    storeIp: bytes.subarray(storeIpAt, storePortAt),
    storePort: readI32(bytes, storePortAt),
    reconsumeTimes: readI32(bytes, reconsumeAt),
    preparedTransactionOffset: readI64(bytes, reconsumeAt + 4),
    body: bytes.subarray(bodyAt, bodyEnd),
    topic: utf8(bytes, topicAt, topicEnd),
    properties: bytes.subarray(propertiesAt, propertiesEnd),
  };
}

/** Where the record says that it lies; -1 for what is no offset. */
export function physicalOffsetOf(bytes: Uint8Array, at: number): number {
  return isSafeI64(bytes, at + 28) ? readI64(bytes, at + 28) : -1;
}

/** Bytes of a record's beginning that `storeTimestampOf` may need. */
export const recordHeadSize = bornHostAt + 16 + portSize + timestampSize;

/** The store timestamp, from the record's first `recordHeadSize` bytes. */
export function storeTimestampOf(bytes: Uint8Array, at: number): number {
  const sysFlag = readI32(bytes, at + sysFlagAt);
  return readI64(bytes, at + bornHostAt + bornIpSize(sysFlag) + portSize);
}

export type RecordCheck =
  | { kind: 'record'; sizeBytes: number }
  /** The rest of the file is unused. */
  | { kind: 'blank'; sizeBytes: number }
  /** Begins like a record of `sizeBytes`, but fewer bytes are there: read on, or take it as the end. */
  | { kind: 'short'; sizeBytes: number }
  /** Zeros: nothing was written here. */
  | { kind: 'end'; why: string }
  | { kind: 'bad'; why: string };

/**
 * Judges bytes that others wrote (the disk, another server): magic, size recomputed from the fields, and the body's
 * CRC when asked. Reads only `length` bytes from `at`, and never throws.
 */
export function checkRecord(
  bytes: Uint8Array,
  at: number,
  length: number,
  options: { checkCrc: boolean },
): RecordCheck {
  const end = at + Math.min(length, bytes.length - at);
  if (end - at < blankSize) return { kind: 'short', sizeBytes: blankSize };
  const sizeBytes = readI32(bytes, at);
  const magic = readI32(bytes, at + 4);
  if (magic === magicBlank) {
    return sizeBytes >= blankSize ? { kind: 'blank', sizeBytes } : bad(`a blank of ${sizeBytes} bytes`);
  }
  if (magic === 0 && sizeBytes === 0) return { kind: 'end', why: 'zeros' };
  if (magic !== magicV1 && magic !== magicV2) return bad(`unknown magic ${magic}`);
  if (sizeBytes < sizeMin) return bad(`a record of ${sizeBytes} bytes, the least is ${sizeMin}`);
  if (sizeBytes > end - at) return { kind: 'short', sizeBytes };
  return checkFields(bytes, at, sizeBytes, magic === magicV2, options.checkCrc);
}

/** All `sizeBytes` are there. Each length is checked before anything behind it is read. */
function checkFields(bytes: Uint8Array, at: number, sizeBytes: number, v2: boolean, checkCrc: boolean): RecordCheck {
  const end = at + sizeBytes;
  const sysFlag = readI32(bytes, at + sysFlagAt);
  const storeTimestampAt = at + bornHostAt + bornIpSize(sysFlag) + portSize;
  const reconsumeAt = storeTimestampAt + timestampSize + storeIpSize(sysFlag) + portSize;
  const bodyAt = reconsumeAt + 16;
  if (bodyAt > end) return bad('the hosts reach beyond the record');
  const bodyLength = readI32(bytes, reconsumeAt + 12);
  if (bodyLength < 0 || bodyLength > end - bodyAt) return bad(`a body of ${bodyLength} bytes in ${sizeBytes}`);
  const bodyEnd = bodyAt + bodyLength;
  const topicAt = bodyEnd + (v2 ? 2 : 1);
  if (topicAt > end) return bad('the topic length lies beyond the record');
  const topicLength = v2 ? readU16(bytes, bodyEnd) : bytes[bodyEnd];
  if (!v2 && topicLength > topicLengthMaxV1) return bad(`a topic of ${topicLength} bytes in format V1`);
  const topicEnd = topicAt + topicLength;
  if (topicEnd + 2 > end) return bad(`a topic of ${topicLength} bytes in ${sizeBytes}`);
  const propertiesLength = readU16(bytes, topicEnd);
  if (topicEnd + 2 + propertiesLength !== end) {
    return bad(`fields add up to ${topicEnd + 2 + propertiesLength - at} bytes, the record says ${sizeBytes}`);
  }
  const longs = [at + 20, at + 28, at + 40, storeTimestampAt, reconsumeAt + 4];
  if (!longs.every((place) => isSafeI64(bytes, place))) return bad('an offset or time beyond 2^53');
  if (checkCrc) {
    const expected = readI32(bytes, at + 8);
    const found = crc32(bytes.subarray(bodyAt, bodyEnd)) & crcMask;
    if (found !== expected) return bad(`body CRC ${found}, the record says ${expected}`);
  }
  return { kind: 'record', sizeBytes };
}

/**
 * The first place from `from` on where a record's magic makes it worth to call `checkRecord`; -1 when there is none.
 * For looking behind damage.
 */
export function findRecord(bytes: Uint8Array, from: number): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = view.indexOf(magicsBegin, from + 4); at >= 0; at = view.indexOf(magicsBegin, at + 1)) {
    const magic = at + 4 <= bytes.length ? readI32(bytes, at) : 0;
    if (magic === magicV1 || magic === magicV2) return at - 4;
  }
  return -1;
}

/** What both magics begin with. */
const magicsBegin = Buffer.from([0xda, 0xa3, 0x20]);

function bad(why: string): RecordCheck {
  return { kind: 'bad', why };
}

function bornIpSize(sysFlag: number): number {
  return sysFlag & SysFlag.BORNHOST_V6 ? 16 : 4;
}

function storeIpSize(sysFlag: number): number {
  return sysFlag & SysFlag.STOREHOST_V6 ? 16 : 4;
}

function withHostBits(sysFlag: number, bornIp: Uint8Array, storeIp: Uint8Array): number {
  return (
    (sysFlag & ~(SysFlag.BORNHOST_V6 | SysFlag.STOREHOST_V6)) |
    (bornIp.length === 16 ? SysFlag.BORNHOST_V6 : 0) |
    (storeIp.length === 16 ? SysFlag.STOREHOST_V6 : 0)
  );
}

/** A call of `set` costs more than a short loop. */
const copyLoopMax = 24;

function writeBytes(target: Uint8Array, at: number, source: Uint8Array): number {
  const length = source.length;
  if (length > copyLoopMax) target.set(source, at);
  else for (let i = 0; i < length; i++) target[at + i] = source[i];
  return at + length;
}

function writeI32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >> 24;
  target[at + 1] = value >> 16;
  target[at + 2] = value >> 8;
  target[at + 3] = value;
}

function readI32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function utf8(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}
