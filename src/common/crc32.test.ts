import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as nativeCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from './mod.ts';

test('the check value of CRC-32 comes out', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  assert.equal(crc32(new Uint8Array(0)), 0);
});

test('short and long inputs, in one piece or two, agree with zlib', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, cut) => {
      const at = Math.min(cut, bytes.length);
      assert.equal(crc32(bytes), nativeCrc32(bytes));
      assert.equal(crc32(bytes.subarray(at), crc32(bytes.subarray(0, at))), nativeCrc32(bytes));
    }),
  );
});
