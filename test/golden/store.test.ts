// Our store on directories of a real broker 5.5.0: it serves every message, goes on writing, and builds the queues and
// the index from the log to the same bytes.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../../src/common/mod.ts';
import { createNodeEnv } from '../../src/io/node/mod.ts';
import { decodeRecord } from '../../src/message/mod.ts';
import { type MessageStore, openStore, type Put, storeConfigRows } from '../../src/store/mod.ts';
import {
  type GoldenStore,
  goldenStores,
  listGolden,
  type ManifestRecord,
  readGolden,
  readManifest,
  unpackGolden,
} from './golden-files.ts';

const transactionBits = 0xc;
const committed = 0x8;

/** The settings with which the golden stores were written. */
const settings = {
  mappedFileSizeCommitLog: 64 * 1024,
  mappedFileSizeConsumeQueue: 20 * 16,
  maxHashSlotNum: 50,
  maxIndexNum: 200,
  maxMessageSize: 32 * 1024,
};

function open(directory: string): Promise<MessageStore> {
  const properties = { ...settings, storePathRootDir: directory, messageDelayLevel: '1s 2s 1h' };
  const { values: config, refusals } = readConfig(
    storeConfigRows,
    new Map(Object.entries(properties).map(([name, value]) => [name, String(value)])),
  );
  assert.deepEqual(refusals, []);
  const env = createNodeEnv({ log: { level: 'silent' } });
  return openStore({ ...env, config, storeHost: { ip: new Uint8Array([127, 0, 0, 1]), port: 30_911 } });
}

async function withStore(store: GoldenStore, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = unpackGolden(store);
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What consumers may see: `topic queueId` and its records in order of the queue. */
function visible(store: GoldenStore): Map<string, ManifestRecord[]> {
  const queues = new Map<string, ManifestRecord[]>();
  for (const record of readManifest(store)) {
    const bits = record.sysFlag & transactionBits;
    if (bits === 0 || bits === committed) {
      const name = `${record.topic} ${record.queueId}`;
      const queue = queues.get(name) ?? [];
      queue.push(record);
      queues.set(name, queue);
    }
  }
  return queues;
}

async function readQueue(store: MessageStore, topic: string, queueId: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const end = store.maxOffset(topic, queueId);
  for (let offset = store.minOffset(topic, queueId); offset < end; ) {
    const result = await store.get({ topic, queueId, offset, maxMessages: 32 });
    assert.equal(result.status, 'FOUND', `${topic} ${queueId} at ${offset}`);
    chunks.push(...result.chunks.map((chunk) => Buffer.from(chunk)));
    result.release();
    offset = result.nextOffset;
  }
  return Buffer.concat(chunks);
}

async function servesEverything(store: MessageStore, golden: GoldenStore): Promise<void> {
  for (const [name, records] of visible(golden)) {
    const topic = records[0].topic;
    const queueId = records[0].queueId;
    assert.equal(store.minOffset(topic, queueId), 0, name);
    assert.equal(store.maxOffset(topic, queueId), records.length, name);
    const expected = records.map((record) => logBytes(golden, record));
    const found = await readQueue(store, topic, queueId);
    assert.ok(found.equals(Buffer.concat(expected)), `${name} holds the records of the log, byte by byte`);
  }
}

function logBytes(store: GoldenStore, record: ManifestRecord): Buffer {
  const fileSize = settings.mappedFileSizeCommitLog;
  const base = Math.floor(record.physicalOffset / fileSize) * fileSize;
  const file = readGolden(store, `commitlog/${String(base).padStart(20, '0')}`);
  return file.subarray(record.physicalOffset - base, record.physicalOffset - base + record.sizeBytes);
}

function put(store: MessageStore, message: Put) {
  return new Promise<{ status: string; physicalOffset: number; queueOffset: number }>((resolve) =>
    store.put(message, resolve),
  );
}

for (const golden of goldenStores) {
  test(`${golden}: every message is served, by queue, by offset and by key`, () =>
    withStore(golden, async (directory) => {
      const store = await open(directory);
      await servesEverything(store, golden);
      for (const record of readManifest(golden)) {
        const bytes = await store.recordAt(record.physicalOffset);
        assert.ok(bytes !== undefined && logBytes(golden, record).equals(bytes), `record at ${record.physicalOffset}`);
      }
      for (const record of [...visible(golden).values()].flat()) {
        const key = record.properties.UNIQ_KEY;
        if (key === undefined) {
          continue;
        }
        const { records } = await store.queryIndex({
          topic: record.topic,
          key,
          maxMessages: 32,
          beginTimestampMs: 0,
          endTimestampMs: Number.MAX_SAFE_INTEGER,
        });
        const offsets = records.map((bytes) => decodeRecord(bytes, 0).physicalOffset);
        assert.ok(offsets.includes(record.physicalOffset), `${record.topic} ${key} is in the index`);
      }
      await store.close();
    }));

  test(`${golden}: queues built from the log alone are the bytes that the Java broker wrote`, () =>
    withStore(golden, async (directory) => {
      for (const derived of ['consumequeue', 'index', 'checkpoint']) {
        rmSync(path.join(directory, derived), { recursive: true });
      }
      const store = await open(directory);
      await servesEverything(store, golden);
      await store.close();
      for (const topic of listGolden(golden, 'consumequeue')) {
        for (const queue of listGolden(golden, `consumequeue/${topic}`)) {
          for (const file of listGolden(golden, `consumequeue/${topic}/${queue}`)) {
            const name = `consumequeue/${topic}/${queue}/${file}`;
            const theirs = readGolden(golden, name);
            // The Java broker may have made the next file ahead, with nothing in it.
            if (existsSync(path.join(directory, name)) || theirs.some((byte) => byte !== 0)) {
              assert.ok(readFileSync(path.join(directory, name)).equals(theirs), name);
            }
          }
        }
      }
      const ours = readdirSync(path.join(directory, 'index')).sort();
      const theirs = listGolden(golden, 'index');
      assert.equal(ours.length, theirs.length);
      for (const [i, file] of ours.entries()) {
        const bytes = readFileSync(path.join(directory, 'index', file));
        assert.ok(bytes.equals(readGolden(golden, `index/${theirs[i]}`)), `index file ${i}`);
      }
    }));

  test(`${golden}: without its first segment, as retention leaves it, queues begin with the first message there is`, () =>
    withStore(golden, async (directory) => {
      rmSync(path.join(directory, 'commitlog', '00000000000000000000'));
      const store = await open(directory);
      try {
        for (const [name, records] of visible(golden)) {
          const { topic, queueId } = records[0];
          const kept = records.filter(({ physicalOffset }) => physicalOffset >= settings.mappedFileSizeCommitLog);
          const expected = records.length - kept.length;
          // First offsets move up in the background.
          for (let i = 0; i < 500 && store.minOffset(topic, queueId) !== expected; i++) await sleep(10);
          assert.equal(store.minOffset(topic, queueId), expected, name);
          assert.equal(store.maxOffset(topic, queueId), records.length, name);
          const found = await readQueue(store, topic, queueId);
          assert.ok(found.equals(Buffer.concat(kept.map((record) => logBytes(golden, record)))), name);
        }
      } finally {
        await store.close();
      }
    }));

  test(`${golden}: writing goes on behind the last record, and survives a restart`, () =>
    withStore(golden, async (directory) => {
      const before = readManifest(golden);
      const last = before[before.length - 1];
      const store = await open(directory);
      const next: Put = {
        topic: 'Plain',
        queueId: 0,
        flag: 0,
        sysFlag: 0,
        bornTimestampMs: last.storeTimestampMs,
        bornIp: new Uint8Array([127, 0, 0, 1]),
        bornPort: 1,
        reconsumeTimes: 0,
        preparedTransactionOffset: 0,
        body: Buffer.from('ours'),
        properties: new Uint8Array(),
        tagsCode: 0,
        keyHashes: [],
        waitForDurable: true,
      };
      const result = await put(store, next);
      assert.equal(result.status, 'ok');
      assert.equal(result.physicalOffset, last.physicalOffset + last.sizeBytes);
      assert.equal(result.queueOffset, visible(golden).get('Plain 0')?.length);
      await store.close();

      const again = await open(directory);
      assert.equal(again.maxOffset('Plain', 0), result.queueOffset + 1);
      const bytes = await again.recordAt(result.physicalOffset);
      assert.ok(bytes !== undefined);
      assert.equal(Buffer.from(decodeRecord(bytes, 0).body).toString(), 'ours');
      await again.close();
    }));
}
