import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZeros, lastNonZero } from './mod.ts';

test('zeros are told from others, whatever the length and the place of the one byte', () => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const bytes = new Uint8Array(length);
    assert.deepEqual([isZeros(bytes), lastNonZero(bytes)], [true, -1]);
    for (const place of [0, 65_535, 65_536, length - 1]) {
      if (place < 0 || place >= length) continue;
      bytes[place] = 1;
      assert.deepEqual([isZeros(bytes), lastNonZero(bytes)], [false, place], `${place} of ${length}`);
      bytes[place] = 0;
    }
  }
});

test('a view is looked at, not what lies around it', () => {
  const bytes = new Uint8Array(100).fill(1);
  bytes.fill(0, 20, 40);
  assert.deepEqual([isZeros(bytes.subarray(20, 40)), lastNonZero(bytes.subarray(10, 40))], [true, 9]);
});
