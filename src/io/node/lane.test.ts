import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lane } from './lane.ts';

test('a lane lets so many calls in at once, in order of arrival, and goes on after one failed', async () => {
  const lane = new Lane(2);
  const began: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const runs = [0, 1, 2, 3].map((call) =>
    lane.run(
      () =>
        new Promise<void>((resolve, reject) => {
          began.push(call);
          ends[call] = (error) => (error === undefined ? resolve() : reject(error));
        }),
    ),
  );
  assert.deepEqual(began, [0, 1]);
  ends[1]?.(new Error('no'));
  await assert.rejects(runs[1] ?? Promise.resolve(), /no/);
  assert.deepEqual(began, [0, 1, 2]);
  ends[0]?.();
  await runs[0];
  assert.deepEqual(began, [0, 1, 2, 3]);
  ends[2]?.();
  ends[3]?.();
  await Promise.all([runs[2], runs[3]]);
});
