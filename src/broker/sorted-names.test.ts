import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '../testing/mod.ts';
import { SortedNames } from './sorted-names.ts';

test('names are in order, whenever they came and went', () => {
  const random = new SimRandom(1, 'names');
  const names = new SortedNames();
  const present = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const name = `${['T', '%RETRY%', 'ü', 'a'][random.below(4)]}${random.below(500)}`;
    if (!present.has(name)) names.add(name);
    else names.delete(name);
    if (!present.delete(name)) present.add(name);
    if (i % 7 === 0) assert.deepEqual(names.slice(0, 10_000), [...present].sort());
  }
  assert.deepEqual(names.slice(3, 5), [...present].sort().slice(3, 5));
});
