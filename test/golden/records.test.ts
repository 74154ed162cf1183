// The record codec against commit logs of a real broker 5.5.0, and against what the official decoder says of them.

import assert from 'node:assert/strict';
import test from 'node:test';
import { checkRecord, decodeRecord, encodeBlank, encodeRecord } from '../../src/message/mod.ts';
import { type GoldenStore, goldenStores, listGolden, manifestOf, readGolden, readManifest } from './golden-files.ts';

type Found = { physicalOffset: number; bytes: Buffer };

/** Walks the log as a reader does: record by record, over the blank at each file's end, to the first zeros. */
function walk(store: GoldenStore): { records: Found[]; blanks: Found[] } {
  const records: Found[] = [];
  const blanks: Found[] = [];
  for (const name of listGolden(store, 'commitlog')) {
    const file = readGolden(store, `commitlog/${name}`);
    let at = 0;
    while (at < file.length) {
      const check = checkRecord(file, at, file.length - at, { checkCrc: true });
      if (check.kind === 'end') {
        break;
      }
      assert.ok(check.kind === 'record' || check.kind === 'blank', `${name} at ${at}: ${JSON.stringify(check)}`);
      const found = { physicalOffset: Number(name) + at, bytes: file.subarray(at, at + check.sizeBytes) };
      (check.kind === 'record' ? records : blanks).push(found);
      at += check.sizeBytes;
    }
  }
  return { records, blanks };
}

for (const store of goldenStores) {
  test(`${store}: every record decodes to what the official decoder reads`, () => {
    const { records } = walk(store);
    const found = records.map(({ bytes }) => manifestOf(decodeRecord(bytes, 0)));
    assert.deepEqual(
      found.map((record) => record.physicalOffset),
      records.map((record) => record.physicalOffset),
    );
    assert.deepEqual(found, readManifest(store));
  });

  test(`${store}: every record encodes to the same bytes again`, () => {
    for (const { physicalOffset, bytes } of walk(store).records) {
      const message = decodeRecord(bytes, 0);
      const again = Buffer.alloc(bytes.length);
      const size = encodeRecord(again, 0, { ...message, topic: Buffer.from(message.topic) });
      assert.equal(size, bytes.length);
      assert.ok(again.equals(bytes), `the record at ${physicalOffset}`);
    }
  });

  test(`${store}: files end with a blank over their rest`, () => {
    const { records, blanks } = walk(store);
    const fileSize = readGolden(store, `commitlog/${listGolden(store, 'commitlog')[0]}`).length;
    const filesWithRecords = new Set(records.map(({ physicalOffset }) => Math.floor(physicalOffset / fileSize)));
    assert.ok(filesWithRecords.size > 1);
    assert.equal(blanks.length, filesWithRecords.size - 1);
    for (const { bytes } of blanks) {
      const again = Buffer.alloc(8);
      encodeBlank(again, 0, bytes.length);
      assert.ok(again.equals(bytes.subarray(0, 8)));
    }
  });
}

test('the golden logs hold what they are there for', () => {
  const all = goldenStores.flatMap((store) => readManifest(store));
  const sysFlags = new Set(all.map((record) => record.sysFlag & ~0x30));
  // Plain; compressed by LZ4, ZSTD and ZLIB; committed and rolled back transactions are plain or have bits 8.
  assert.deepEqual(
    [...sysFlags].sort((a, b) => a - b),
    [0, 8, 257, 513, 769],
  );
  assert.ok(
    all.some((record) => (record.sysFlag & 0x30) === 0x30),
    'IPv6 on both sides',
  );
  assert.ok(all.some((record) => record.topic.length === 127));
  assert.ok(
    all.some((record) => record.topic.length > 127),
    'the second format of records',
  );
  assert.ok(all.some((record) => record.preparedTransactionOffset > 0));
  assert.ok(all.some((record) => record.topic.startsWith('%RETRY%')));
});
