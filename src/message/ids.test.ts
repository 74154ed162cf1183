import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../io/mod.ts';
import { createUniqueKeys, OffsetMessageIds, offsetMessageId, parseOffsetMessageId } from './mod.ts';

const fixedRandom: Random = {
  below: () => 0xfffe,
  float: () => 0,
  bytes: (length) => new Uint8Array(length).fill(0xab),
};
const utc = () => 0;

function keysAt(
  time: { wallMs: number },
  utcOffset: (wallMs: number) => number = utc,
  ip = Uint8Array.of(192, 168, 1, 2),
) {
  const clock = { wallMs: () => time.wallMs, monotonicMs: () => 0 };
  return createUniqueKeys({ ip, pid: 0x12345, random: fixedRandom, clock, utcOffset });
}

test('a unique key holds address, low pid bits, constant, milliseconds of the month and a counter that wraps', () => {
  const time = { wallMs: Date.UTC(2026, 10, 1, 0, 0, 1) };
  const keys = keysAt(time);
  assert.equal(keys.next(), `C0A80102${'2345'}${'ABABABAB'}${'000003E8'}FFFF`);
  time.wallMs += 1;
  assert.equal(keys.next(), `C0A80102${'2345'}${'ABABABAB'}${'000003E9'}0000`);
});

test('a new month begins at local midnight, by the offset that holds then', () => {
  const inWinter = Date.UTC(2026, 10, 1);
  // UTC+2 until 26 October, UTC+1 after it.
  const offset = (wallMs: number) => (wallMs < Date.UTC(2026, 9, 25, 1) ? 120 : 60);
  const time = { wallMs: Date.UTC(2026, 9, 31, 22, 59, 59, 999) };
  const keys = keysAt(time, offset);
  const octoberMs = time.wallMs - (Date.UTC(2026, 9, 1) - 120 * 60_000);
  assert.equal(Number.parseInt(keys.next().slice(20, 28), 16), octoberMs);
  time.wallMs = inWinter - 60 * 60_000;
  assert.equal(Number.parseInt(keys.next().slice(20, 28), 16), 0);
});

test('an IPv6 address makes 56 digits', () => {
  const time = { wallMs: Date.UTC(2026, 0, 2) };
  const key = keysAt(time, utc, new Uint8Array(16)).next();
  assert.equal(key.length, 56);
});

test('an offset message id holds host, port and offset', () => {
  const id = offsetMessageId(Uint8Array.of(127, 0, 0, 1), 10911, 1_000_000);
  assert.equal(id, '7F00000100002A9F00000000000F4240');
  const parsed = parseOffsetMessageId(id.toLowerCase());
  assert.deepEqual([...(parsed?.ip ?? [])], [127, 0, 0, 1]);
  assert.deepEqual([parsed?.port, parsed?.physicalOffset], [10911, 1_000_000]);
  assert.equal(offsetMessageId(new Uint8Array(16), 1, 0).length, 56);
});

test('ids with impossible parts are refused', () => {
  for (const id of [
    '',
    'xyz',
    '7F00000100002A9FFFFFFFFFFFFFFFFF',
    '7F000001FFFFFFFF0000000000000000',
    '7F00000100002A9F0020000000000000',
  ]) {
    assert.equal(parseOffsetMessageId(id), undefined, id);
  }
});

test('a message id is made digit by digit as it is read, at any offset', () => {
  const ids = new OffsetMessageIds(Uint8Array.of(10, 0, 0, 1), 10911);
  for (const offset of [0, 1, 0xabc, 0xffff_ffff, 0x1_0000_0000, 0x1f_ffff_ffff_ffff, 7, 0xfedc_ba98]) {
    const id = ids.at(offset).toString();
    assert.equal(id, `0A00000100002A9F${offset.toString(16).toUpperCase().padStart(16, '0')}`);
    assert.equal(parseOffsetMessageId(id)?.physicalOffset, offset);
  }
});
