import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff.ts';

test('the wait doubles with each failure up to its maximum, and chance takes at most half of it', () => {
  const failures = [1, 2, 3, 4, 5, 6, 5000];
  const waits = (chance: number) => failures.map((count) => Math.round(backoffMs(count, 100, 3000, chance)));
  assert.deepEqual(waits(1 - 1e-9), [100, 200, 400, 800, 1600, 3000, 3000]);
  assert.deepEqual(waits(0), [50, 100, 200, 400, 800, 1500, 1500]);
});

test('a wait without a failure is a bug', () => {
  assert.throws(() => backoffMs(0, 100, 3000, 0), /before it failed/);
});
