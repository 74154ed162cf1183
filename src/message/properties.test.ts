import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeProperties, encodeProperties, findProperty } from './mod.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

test('properties are written as name 0x01 value 0x02, and read back', () => {
  const text = encodeProperties([
    ['TAGS', 'A'],
    ['KEYS', 'k1 k2'],
    ['empty', ''],
  ]);
  assert.equal(text, 'TAGS\u0001A\u0002KEYS\u0001k1 k2\u0002');
  assert.deepEqual(
    [...decodeProperties(text)],
    [
      ['TAGS', 'A'],
      ['KEYS', 'k1 k2'],
    ],
  );
  assert.deepEqual(
    [...decodeProperties(bytesOf(text))],
    [
      ['TAGS', 'A'],
      ['KEYS', 'k1 k2'],
    ],
  );
});

test('a missing last separator is no harm; items without name, value or middle are skipped', () => {
  assert.deepEqual([...decodeProperties('a\u0001b')], [['a', 'b']]);
  assert.deepEqual([...decodeProperties('\u0001b\u0002a\u0001\u0002ab\u0002\u0002c\u0001d\u0002')], [['c', 'd']]);
});

test('of equal names the last one counts', () => {
  const text = 'a\u00011\u0002b\u00012\u0002a\u00013\u0002';
  assert.equal(decodeProperties(text).get('a'), '3');
  assert.equal(findProperty(bytesOf(text), 'a'), '3');
});

test('a value may hold 0x01; a name that is the beginning of another is not taken for it', () => {
  const bytes = bytesOf('TAGSX\u0001no\u0002TAG\u0001no\u0002TAGS\u0001a\u0001b\u0002');
  assert.equal(findProperty(bytes, 'TAGS'), 'a\u0001b');
  assert.equal(findProperty(bytes, 'X'), undefined);
});

test('separators in names or values are refused', () => {
  assert.throws(() => encodeProperties([['a\u0001', 'b']]), /separator/);
  assert.throws(() => encodeProperties([['a', 'b\u0002']]), /separator/);
  assert.throws(() => encodeProperties([['', 'b']]), /not empty/);
});

test('finding one property in bytes agrees with decoding them all', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', 'é', '\u0001', '\u0002', '');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.constantFrom('a', 'b', 'ab', 'aa'), (pieces, name) => {
      const text = pieces.join('');
      assert.equal(findProperty(bytesOf(text), name), decodeProperties(text).get(name));
    }),
    { numRuns: 3000 },
  );
});
