import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipBytes } from './mod.ts';

test('addresses are read as bytes, IPv4 ones inside IPv6 too', () => {
  for (const [text, bytes] of [
    ['127.0.0.1', '7f000001'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001'],
    ['fe80::1:2', 'fe800000000000000000000000010002'],
    ['::', '00000000000000000000000000000000'],
    ['::ffff:10.0.0.1', '0a000001'],
  ]) {
    const read = ipBytes(text);
    assert.equal(Buffer.from(read ?? []).toString('hex'), bytes, text);
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
