import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  blankSize,
  checkRecord,
  decodeRecord,
  encodeBlank,
  encodeRecord,
  limits,
  type RecordFields,
  recordSize,
  SysFlag,
} from './mod.ts';

const utf8 = (text: string) => new Uint8Array(Buffer.from(text));

const hello: RecordFields = {
  queueId: 3,
  flag: 7,
  queueOffset: 5,
  physicalOffset: 1000,
  sysFlag: 0,
  bornTimestampMs: 1_700_000_000_000,
  bornIp: Uint8Array.of(10, 0, 0, 1),
  bornPort: 50000,
  storeTimestampMs: 1_700_000_000_001,
  storeIp: Uint8Array.of(10, 0, 0, 2),
  storePort: 10911,
  reconsumeTimes: 1,
  preparedTransactionOffset: 9,
  body: utf8('hello'),
  topic: utf8('TopicTest'),
  properties: utf8('TAGS\u0001A\u0002'),
};

/** Written out by hand from the layout. */
const helloHex = [
  '00000070', // total size 112
  'daa320a7', // magic V1
  '3610a686', // CRC-32 of "hello", already below 2^31
  '00000003', // queue id
  '00000007', // flag
  '0000000000000005', // queue offset
  '00000000000003e8', // physical offset
  '00000000', // sysFlag
  '0000018bcfe56800', // born timestamp
  '0a000001', // born host
  '0000c350',
  '0000018bcfe56801', // store timestamp
  '0a000002', // store host
  '00002a9f',
  '00000001', // reconsume times
  '0000000000000009', // prepared transaction offset
  '00000005', // body
  '68656c6c6f',
  '09', // topic
  '546f70696354657374',
  '0007', // properties
  '54414753014102',
].join('');

function encode(fields: RecordFields): Uint8Array {
  const size = recordSize(fields);
  const bytes = new Uint8Array(size);
  assert.equal(encodeRecord(bytes, 0, fields), size);
  return bytes;
}

test('a record has the bytes of the format', () => {
  const bytes = encode(hello);
  assert.equal(Buffer.from(bytes).toString('hex'), helloHex);
});

test('a topic longer than 127 bytes makes a V2 record, with two bytes for its length', () => {
  const bytes = Buffer.from(encode({ ...hello, topic: utf8('t'.repeat(128)) }));
  assert.equal(bytes.readUInt32BE(4), 0xdaa320ab);
  assert.equal(bytes.readUInt16BE(88 + 5), 128);
  assert.equal(bytes.readUInt32BE(0), encode(hello).length + 128 - 9 + 1);
  assert.equal(decodeRecord(bytes, 0).topic, 't'.repeat(128));
});

test('IPv6 hosts take 16 bytes and set their bits, IPv4 hosts clear them', () => {
  const v6 = new Uint8Array(16).fill(1);
  const born = decodeRecord(encode({ ...hello, bornIp: v6 }), 0);
  assert.equal(born.sysFlag, SysFlag.BORNHOST_V6);
  assert.deepEqual([...born.bornIp], [...v6]);
  const store = decodeRecord(encode({ ...hello, storeIp: v6, sysFlag: SysFlag.BORNHOST_V6 | SysFlag.COMPRESSED }), 0);
  assert.equal(store.sysFlag, SysFlag.STOREHOST_V6 | SysFlag.COMPRESSED);
  assert.equal(store.bornPort, 50000);
});

test('the CRC is masked to 31 bits and zero for an empty body', () => {
  // CRC-32 of "123456789" is 0xCBF43926.
  assert.equal(decodeRecord(encode({ ...hello, body: utf8('123456789') }), 0).bodyCrc, 0x4bf43926);
  assert.equal(decodeRecord(encode({ ...hello, body: new Uint8Array(0) }), 0).bodyCrc, 0);
});

const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const ip = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }));
const anyFields: fc.Arbitrary<RecordFields> = fc.record({
  queueId: i32,
  flag: i32,
  queueOffset: fc.maxSafeNat(),
  physicalOffset: fc.maxSafeNat(),
  sysFlag: fc.nat(0x7ff).map((bits) => bits & ~(SysFlag.BORNHOST_V6 | SysFlag.STOREHOST_V6)),
  bornTimestampMs: fc.maxSafeInteger(),
  bornIp: ip,
  bornPort: fc.nat(65535),
  storeTimestampMs: fc.maxSafeNat(),
  storeIp: ip,
  storePort: fc.nat(65535),
  reconsumeTimes: i32,
  preparedTransactionOffset: fc.maxSafeNat(),
  body: fc.uint8Array({ maxLength: 300 }),
  topic: fc.string({ minLength: 1, maxLength: limits.storedTopicLengthMax }).map(utf8),
  properties: fc.string({ maxLength: 100 }).map(utf8),
});

test('what is encoded, anywhere in a buffer, is accepted and decoded unchanged', () => {
  fc.assert(
    fc.property(anyFields, fc.nat(40), fc.nat(40), (fields, before, after) => {
      const record = encode(fields);
      const bytes = new Uint8Array(before + record.length + after).fill(0xee);
      bytes.set(record, before);
      assert.deepEqual(checkRecord(bytes, before, record.length + after, { checkCrc: true }), {
        kind: 'record',
        sizeBytes: record.length,
      });
      const { sizeBytes, bodyCrc: _, sysFlag, topic, ...rest } = decodeRecord(bytes, before);
      const hostBits = SysFlag.BORNHOST_V6 | SysFlag.STOREHOST_V6;
      assert.equal(sizeBytes, record.length);
      const { sysFlag: sysFlagGiven, topic: topicGiven, ...restGiven } = fields;
      assert.deepEqual(
        { ...rest, sysFlag: sysFlag & ~hostBits, topic: topic },
        { ...restGiven, sysFlag: sysFlagGiven, topic: Buffer.from(topicGiven).toString() },
      );
    }),
  );
});

test('any single flipped bit of the body is found by its CRC, and passes when the CRC is not asked for', () => {
  const bytes = encode(hello);
  for (let bit = 0; bit < 8 * hello.body.length; bit++) {
    const at = 88 + (bit >> 3);
    bytes[at] ^= 1 << (bit & 7);
    assert.equal(checkRecord(bytes, 0, bytes.length, { checkCrc: true }).kind, 'bad');
    assert.equal(checkRecord(bytes, 0, bytes.length, { checkCrc: false }).kind, 'record');
    bytes[at] ^= 1 << (bit & 7);
  }
});

test('a record of which bytes are missing is short, wherever it ends', () => {
  const bytes = encode(hello);
  for (let length = 0; length < bytes.length; length++) {
    const expected = { kind: 'short', sizeBytes: length < blankSize ? blankSize : bytes.length };
    assert.deepEqual(checkRecord(bytes, 0, length, { checkCrc: true }), expected);
    assert.deepEqual(checkRecord(bytes.slice(0, length), 0, bytes.length, { checkCrc: true }), expected);
  }
});

test('zeros are the end, a blank says how much it covers, another magic is bad', () => {
  const bytes = new Uint8Array(100);
  assert.deepEqual(checkRecord(bytes, 0, 100, { checkCrc: true }), { kind: 'end', why: 'zeros' });
  encodeBlank(bytes, 10, 90);
  assert.equal(Buffer.from(bytes.subarray(10, 18)).toString('hex'), '0000005acbd43194');
  assert.deepEqual(checkRecord(bytes, 10, 90, { checkCrc: true }), { kind: 'blank', sizeBytes: 90 });
  bytes[17] = 0;
  assert.equal(checkRecord(bytes, 10, 90, { checkCrc: true }).kind, 'bad');
});

test('offsets beyond 2^53 are bad, so that decoding an accepted record never fails', () => {
  for (const at of [20, 28, 40, 56, 76]) {
    const bytes = encode(hello);
    bytes[at] = 0x7f;
    const check = checkRecord(bytes, 0, bytes.length, { checkCrc: true });
    assert.deepEqual(check, { kind: 'bad', why: 'an offset or time beyond 2^53' });
  }
});

test('damaged bytes never throw, and what is still accepted can be decoded', () => {
  const changes = fc.array(fc.tuple(fc.nat(140), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(changes, fc.nat(140), (edits, length) => {
      const bytes = encode(hello);
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      const check = checkRecord(bytes, 0, length, { checkCrc: false });
      if (check.kind === 'record') decodeRecord(bytes, 0);
    }),
    { numRuns: 5000 },
  );
});

test('arbitrary bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (tail, v2) => {
      const bytes = Buffer.concat([Buffer.alloc(8), tail]);
      bytes.writeInt32BE(bytes.length, 0);
      bytes.writeUInt32BE(v2 ? 0xdaa320ab : 0xdaa320a7, 4);
      const check = checkRecord(bytes, 0, bytes.length, { checkCrc: true });
      assert.ok(check.kind === 'bad' || check.kind === 'record');
    }),
    { numRuns: 2000 },
  );
});
