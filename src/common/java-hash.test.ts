import assert from 'node:assert/strict';
import { test } from 'node:test';
import { javaHash } from './mod.ts';

test('hashes are those of Java, overflow and characters beyond the first plane included', () => {
  assert.equal(javaHash(''), 0);
  assert.equal(javaHash('d'), 100);
  assert.equal(javaHash('TagA'), 2598919);
  assert.equal(javaHash('polygenelubricants'), -2147483648);
  assert.equal(javaHash('\u{1F600}'), 0xd83d * 31 + 0xde00);
});
