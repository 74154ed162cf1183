import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AssertionFailure, isSafeI64, readI64, readI64Big, writeI64 } from './mod.ts';

test('a safe integer is written as Buffer writes it and read back', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.nat(5), (value, at) => {
      const bytes = Buffer.alloc(at + 8);
      writeI64(bytes, at, value);
      assert.equal(bytes.readBigInt64BE(at), BigInt(value));
      assert.ok(isSafeI64(bytes, at));
      assert.equal(readI64(bytes, at), value);
      assert.equal(readI64Big(bytes, at), BigInt(value));
    }),
  );
});

test('64 bits that are no safe integer are recognised, and readable as bigint only', () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(value);
      assert.equal(readI64Big(bytes, 0), value);
      const safe = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
      assert.equal(isSafeI64(bytes, 0), safe);
      if (!safe) assert.throws(() => readI64(bytes, 0), AssertionFailure);
    }),
    { examples: [[2n ** 53n], [2n ** 53n - 1n], [-(2n ** 53n)], [-(2n ** 53n) + 1n], [2n ** 63n - 1n]] },
  );
});

test('nothing is read or written outside the buffer', () => {
  assert.throws(() => readI64(new Uint8Array(8), 1), AssertionFailure);
  assert.throws(() => writeI64(new Uint8Array(8), -1, 0), AssertionFailure);
  assert.throws(() => writeI64(new Uint8Array(8), 0, 2 ** 53), AssertionFailure);
});
