import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeProperties, encodeProperties } from './mod.ts';

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
});

test('a value may hold 0x01', () => {
  assert.equal(decodeProperties('TAGS\u0001a\u0001b\u0002').get('TAGS'), 'a\u0001b');
});

test('separators in names or values are refused', () => {
  assert.throws(() => encodeProperties([['a\u0001', 'b']]), /separator/);
  assert.throws(() => encodeProperties([['a', 'b\u0002']]), /separator/);
  assert.throws(() => encodeProperties([['', 'b']]), /not empty/);
});

test('what is encoded is decoded, whatever characters it has besides the separators', () => {
  const text = fc
    .string({ minLength: 1, unit: 'grapheme' })
    .filter((value) => !value.includes('\u0001') && !value.includes('\u0002'));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 8 }), (entries) => {
      assert.deepEqual(decodeProperties(bytesOf(encodeProperties(entries))), new Map(entries));
    }),
  );
});
