import { assert } from './assert.ts';

/**
 * 64-bit big-endian integers in byte arrays. A `number` where the value is a safe integer (offsets, times, sizes), a
 * bigint where any 64 bits may come (tags codes of foreign stores, Long.MAX bounds).
 */

const two32 = 2 ** 32;

function highWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

function lowWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Whether the 8 bytes hold a safe integer: ask before `readI64` of bytes that others wrote. */
export function isSafeI64(bytes: Uint8Array, at: number): boolean {
  const high = highWord(bytes, at);
  if (high >= 0x20_0000 || high < -0x20_0000) return false;
  // -2^53 itself is not safe.
  return high !== -0x20_0000 || lowWord(bytes, at + 4) !== 0;
}

export function readI64(bytes: Uint8Array, at: number): number {
  assert(at >= 0 && at + 8 <= bytes.length, 'an i64 is read inside its buffer');
  const value = highWord(bytes, at) * two32 + lowWord(bytes, at + 4);
  assert(Number.isSafeInteger(value), 'an i64 read as a number is a safe integer');
  return value;
}

export function writeI64(bytes: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value), 'an i64 written from a number is a safe integer');
  assert(at >= 0 && at + 8 <= bytes.length, 'an i64 is written inside its buffer');
  const high = Math.floor(value / two32);
  const low = value - high * two32;
  bytes[at] = high >> 24;
  bytes[at + 1] = high >> 16;
  bytes[at + 2] = high >> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = low >>> 16;
  bytes[at + 6] = low >>> 8;
  bytes[at + 7] = low;
}

export function readI64Big(bytes: Uint8Array, at: number): bigint {
  assert(at >= 0 && at + 8 <= bytes.length, 'an i64 is read inside its buffer');
  return (BigInt(highWord(bytes, at)) << 32n) | BigInt(lowWord(bytes, at + 4));
}
