import { assert } from '../common/mod.ts';
import type { Clock, Random } from '../io/mod.ts';

/**
 * The client's message id, property UNIQ_KEY, in upper-case hex:
 *
 *     ip (4 or 16)   pid (2, low bits)   process constant (4)   ms since the month began, local time (4)   counter (2)
 *
 * 32 digits with an IPv4 address, 56 with IPv6. Readers find the time in it and bound their search with that.
 */
export interface UniqueKeys {
  next(): string;
}

/** Minutes to add to UTC for local time at a moment (`Host.utcOffsetMinutes`). */
type UtcOffset = (wallMs: number) => number;

export function createUniqueKeys(parts: {
  ip: Uint8Array;
  pid: number;
  random: Random;
  clock: Clock;
  utcOffset: UtcOffset;
}): UniqueKeys {
  const { ip, pid, random, clock, utcOffset } = parts;
  assert(ip.length === 4 || ip.length === 16, 'an address has 4 or 16 bytes');
  const constant = random.bytes(4);
  const prefix = hex(ip) + hex(Uint8Array.of(pid >> 8, pid)) + hex(constant);
  let monthStartMs = 0;
  let nextMonthMs = 0;
  let lastMs = -1;
  let timed = '';
  let counter = random.below(0x1_0000);
  return {
    next() {
      const nowMs = clock.wallMs();
      if (nowMs !== lastMs) {
        if (nowMs >= nextMonthMs || nowMs < monthStartMs) {
          monthStartMs = startOfMonthMs(nowMs, 0, utcOffset);
          nextMonthMs = startOfMonthMs(nowMs, 1, utcOffset);
        }
        timed = prefix + hexDigits(nowMs - monthStartMs, 8);
        lastMs = nowMs;
      }
      counter = (counter + 1) & 0xffff;
      return timed + hexDigits(counter, 4);
    },
  };
}

/** Local midnight of the first day of the month that is `months` after the one of `wallMs`. */
function startOfMonthMs(wallMs: number, months: number, utcOffset: UtcOffset): number {
  const local = new Date(wallMs + utcOffset(wallMs) * 60_000);
  const localStartMs = Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + months, 1);
  // The offset may differ at the month's start (summer time): take the one that holds there.
  return localStartMs - utcOffset(localStartMs - utcOffset(wallMs) * 60_000) * 60_000;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function hexDigits(value: number, count: number): string {
  return (value >>> 0).toString(16).toUpperCase().padStart(count, '0');
}
