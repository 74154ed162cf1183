import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine, sizeText } from './progress.ts';

test('a line of progress says part, bytes, rate and the time that is left', () => {
  assert.equal(progressLine('log', 3 << 20, 12 << 20, 2), 'log 25 %, 3.0 MiB of 12.0 MiB, 1.5 MiB/s, 6 s left');
});

test('nothing to do is all done, and no time has passed at the beginning', () => {
  assert.equal(progressLine('log', 0, 0, 0), 'log 100 %, 0 B of 0 B, 0 B/s');
});

test('sizes have the unit that reads best', () => {
  assert.deepEqual([0, 1023, 1536, 5 * 2 ** 40].map(sizeText), ['0 B', '1023 B', '1.5 KiB', '5.0 TiB']);
});
