import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesInSlices, listed } from './slices.ts';

const row = (i: number) => `"ä${i}${' '.repeat(95)}"`;

async function written(count: number): Promise<{ text: string; turns: number; lengthBetween: number }> {
  let turns = 0;
  let length = 0;
  let lengthBetween = 0;
  const timers = {
    soon(run: () => void) {
      turns++;
      lengthBetween = Math.max(lengthBetween, length);
      length = 0;
      setImmediate(run);
    },
  };
  function* rowsOf(): Iterable<string> {
    for (let i = 0; i < count; i++) {
      length += row(i).length;
      yield row(i);
    }
  }
  const slices = await bytesInSlices(listed('[', rowsOf(), ']'), timers);
  return { text: Buffer.concat(slices).toString('utf8'), turns, lengthBetween };
}

test('the text is whole, however many rows there are', async () => {
  for (const count of [0, 1, 1999, 2000, 2001, 5678]) {
    const { text } = await written(count);
    const rows: unknown = JSON.parse(text);
    assert.deepEqual(
      rows,
      Array.from({ length: count }, (_, i) => JSON.parse(row(i))),
    );
  }
});

test('others have their turn after some 200,000 characters; a small table is written at once', async () => {
  const { turns, lengthBetween } = await written(50_000);
  assert.ok(turns >= 25, `${turns}`);
  assert.ok(lengthBetween < 201_000, `${lengthBetween}`);
  assert.equal((await written(1_500)).turns, 0);
});
