import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textInSlices } from './slices.ts';

async function written(count: number): Promise<{ text: string; turns: number; rowsBetween: number }> {
  let turns = 0;
  let rows = 0;
  let rowsBetween = 0;
  const timers = {
    soon(run: () => void) {
      turns++;
      rowsBetween = Math.max(rowsBetween, rows);
      rows = 0;
      setImmediate(run);
    },
  };
  function* rowsOf(): Iterable<string> {
    for (let i = 0; i < count; i++) {
      rows++;
      yield `"ä${i}"`;
    }
  }
  const pieces = await textInSlices('[', rowsOf(), ']', timers);
  return { text: Buffer.concat(pieces).toString('utf8'), turns, rowsBetween };
}

test('the text is whole, however many rows there are', async () => {
  for (const count of [0, 1, 999, 1000, 1001, 2000, 5678]) {
    const { text } = await written(count);
    const rows: unknown = JSON.parse(text);
    assert.deepEqual(
      rows,
      Array.from({ length: count }, (_, i) => `ä${i}`),
    );
  }
});

test('others have their turn after each thousand rows; a small table is written at once', async () => {
  const { turns, rowsBetween } = await written(50_000);
  assert.deepEqual([turns, rowsBetween], [50, 1000]);
  assert.equal((await written(900)).turns, 0);
});
