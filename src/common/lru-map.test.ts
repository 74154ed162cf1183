import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LruMap } from './mod.ts';

test('over its maximum the entry that was used least recently goes', () => {
  const map = new LruMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  assert.equal(map.get('a'), 1);
  map.set('c', 3);
  assert.equal(map.get('b'), undefined);
  assert.equal(map.get('a'), 1);
  assert.equal(map.get('c'), 3);
  assert.equal(map.size, 2);
  assert.deepEqual([...map.keys()], ['a', 'c']);
  assert.deepEqual([...map.values()], [1, 3]);
});

test('setting a present key replaces it and drops nothing', () => {
  const map = new LruMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  assert.equal(map.size, 2);
  assert.equal(map.get('b'), 2);
  assert.equal(map.delete('a'), true);
  assert.equal(map.get('a'), undefined);
});
