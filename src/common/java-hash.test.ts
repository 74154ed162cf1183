import assert from 'node:assert/strict';
import { test } from 'node:test';
import { javaHash, javaHashOn, javaHashOnUtf8 } from './mod.ts';

test('hashes are those of Java, overflow and characters beyond the first plane included', () => {
  assert.equal(javaHash(''), 0);
  assert.equal(javaHash('d'), 100);
  assert.equal(javaHash('TagA'), 2598919);
  assert.equal(javaHash('polygenelubricants'), -2147483648);
  assert.equal(javaHash('\u{1F600}'), 0xd83d * 31 + 0xde00);
});

test('a hash goes on over the rest of a text, given as a string or as bytes', () => {
  for (const text of ['topic#key', 'topic#größe', '#😀', 'a#']) {
    const at = text.indexOf('#');
    const begun = javaHash(text.slice(0, at));
    assert.equal(javaHashOn(begun, text.slice(at)), javaHash(text));
    const bytes = Buffer.from(`..${text.slice(at)}..`);
    assert.equal(javaHashOnUtf8(begun, bytes, 2, bytes.length - 2), javaHash(text));
  }
});
