import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchError, decodeBatch, encodeBatch } from './mod.ts';

test('a batch has the bytes that the Java client writes', () => {
  const bytes = encodeBatch([{ flag: 1, body: Buffer.from('ab'), properties: Buffer.from('k\u0001v\u0002') }]);
  const expected = ['0000001c', '00000000', '00000000', '00000001', '00000002', '6162', '0004', '6b017602'].join('');
  assert.equal(Buffer.from(bytes).toString('hex'), expected);
});

test('what is encoded is decoded unchanged, and the three unused fields are not looked at', () => {
  const message = fc.record({
    flag: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    body: fc.uint8Array({ maxLength: 50 }),
    properties: fc.uint8Array({ maxLength: 50 }),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      const bytes = encodeBatch(messages);
      bytes.fill(0xff, 0, Math.min(12, bytes.length));
      const decoded = decodeBatch(bytes);
      assert.deepEqual(
        decoded.map(({ flag, body, properties }) => ({ flag, body: [...body], properties: [...properties] })),
        messages.map(({ flag, body, properties }) => ({ flag, body: [...body], properties: [...properties] })),
      );
    }),
  );
});

test('a batch that is cut anywhere is refused with the place', () => {
  const bytes = encodeBatch([{ flag: 0, body: Buffer.from('body'), properties: Buffer.from('k\u0001v\u0002') }]);
  for (let length = 1; length < bytes.length; length++) {
    assert.throws(() => decodeBatch(bytes.subarray(0, length)), BatchError, `cut at ${length}`);
  }
  assert.throws(
    () => decodeBatch(Buffer.concat([bytes, Buffer.alloc(3)])),
    /message 1 of the batch, at byte 30: 3 bytes/,
  );
});

test('arbitrary bytes give messages or a BatchError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        decodeBatch(bytes);
      } catch (error) {
        assert.ok(error instanceof BatchError);
      }
    }),
    { numRuns: 2000 },
  );
});
