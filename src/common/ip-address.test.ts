import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipBytes, ipText } from './mod.ts';

test('addresses are read as bytes and shown as text', () => {
  for (const [text, bytes, shown] of [
    ['127.0.0.1', '7f000001', '127.0.0.1'],
    ['::1', '00000000000000000000000000000001', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['fe80::1:2', 'fe800000000000000000000000010002', 'fe80::1:2'],
    ['::', '00000000000000000000000000000000', '::'],
    ['::ffff:10.0.0.1', '0a000001', '10.0.0.1'],
  ]) {
    const read = ipBytes(text);
    assert.equal(Buffer.from(read ?? []).toString('hex'), bytes, text);
    assert.equal(ipText(read ?? new Uint8Array()), shown);
  }
});

test('what is no numeric address is refused', () => {
  for (const text of [
    '',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'fe80::1%eth0',
    '::1.2.3',
    '1.2.3.4::',
  ]) {
    assert.equal(ipBytes(text), undefined, text);
  }
});

test('any address survives its text', () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(address, (bytes) => {
      const mapped = bytes.length === 16 && bytes.subarray(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255';
      assert.deepEqual(ipBytes(ipText(bytes)), mapped ? bytes.slice(12) : bytes);
    }),
  );
});
