// What a store holds at one moment, taken from its files; and what must still be so later.

import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { type ManifestRecord, manifestOf } from '../../golden/golden-files.ts';
import {
  hasUnit,
  indexTextsOf,
  logRecords,
  type QueueUnit,
  queuesWithFiles,
  queueUnits,
  readIndex,
  unitOf,
} from '../store-files.ts';

export type Census = {
  /** In the order of the log. */
  records: readonly ManifestRecord[];
  /** By `topic queueId`: its records in the order of their offsets. */
  queues: ReadonlyMap<string, readonly ManifestRecord[]>;
  /** Of the log. */
  end: number;
  segments: number;
  indexFiles: number;
  /** Records that the last entries of their queues do not know yet, and keys that the index does not. */
  behind: { units: number; keys: number };
};

export type FileShape = { segmentSize: number; slotCount: number; delayLevelsMs: readonly number[] };

/** Reads everything, and checks that log, queues and index agree as far as queues and index go. */
export function takeCensus(storeDir: string, shape: FileShape): Census {
  const records: ManifestRecord[] = [];
  const queues = new Map<string, ManifestRecord[]>();
  const expected = new Map<string, QueueUnit[]>();
  const keys = new Map<string, number[]>();
  let end = 0;
  for (const record of logRecords(storeDir)) {
    assert.ok(
      record.physicalOffset === end || record.physicalOffset === Math.ceil(end / shape.segmentSize) * shape.segmentSize,
      `the log goes on at ${end}, not at ${record.physicalOffset}`,
    );
    end = record.physicalOffset + record.sizeBytes;
    const manifest = manifestOf(record);
    records.push(manifest);
    for (const text of indexTextsOf(record)) {
      listIn(keys, text).push(record.physicalOffset);
    }
    // Its queues are no function of the log: it is deleted and made anew on the way.
    if (hasUnit(record) && record.topic !== 'Passing') {
      const name = `${record.topic} ${record.queueId}`;
      const queue = listIn(queues, name);
      assert.equal(record.queueOffset, queue.length, `the record of ${name} at ${record.physicalOffset}`);
      queue.push(manifest);
      listIn(expected, name).push(unitOf(record, shape.delayLevelsMs));
    }
  }
  const index = readIndex(storeDir, shape.slotCount);
  return {
    records,
    queues,
    end,
    segments: Math.ceil(end / shape.segmentSize),
    indexFiles: index.files,
    behind: { units: unitsBehind(storeDir, expected), keys: keysBehind(index, keys) },
  };
}

function unitsBehind(storeDir: string, expected: ReadonlyMap<string, readonly QueueUnit[]>): number {
  let behind = 0;
  const found = new Map(
    queuesWithFiles(storeDir)
      .filter(({ topic }) => topic !== 'Passing')
      .map((queue) => [`${queue.topic} ${queue.queueId}`, queue]),
  );
  for (const name of found.keys()) {
    assert.ok(expected.has(name) || queueUnitsOf(storeDir, found, name).length === 0, `queue ${name} has no records`);
  }
  for (const [name, units] of expected) {
    const inFiles = queueUnitsOf(storeDir, found, name);
    assert.deepEqual(inFiles, units.slice(0, inFiles.length), `the entries of ${name}`);
    behind += units.length - inFiles.length;
  }
  return behind;
}

/** From offset 0 to the last that is there. */
function queueUnitsOf(
  storeDir: string,
  found: ReadonlyMap<string, { topic: string; queueId: number }>,
  name: string,
): QueueUnit[] {
  const queue = found.get(name);
  if (queue === undefined) {
    return [];
  }
  const { first, units } = queueUnits(storeDir, queue);
  assert.equal(first, 0, `the first file of ${name}`);
  const end = units.indexOf(null);
  const used = end < 0 ? units : units.slice(0, end);
  assert.ok(
    units.slice(used.length).every((unit) => unit === null),
    `${name} has a hole at ${used.length}`,
  );
  return used.filter((unit) => unit !== null);
}

function keysBehind(index: ReturnType<typeof readIndex>, keys: ReadonlyMap<string, readonly number[]>): number {
  let behind = 0;
  for (const [text, offsets] of keys) {
    const found = new Set(index.find(text));
    behind += offsets.filter((offset) => !found.has(offset)).length;
  }
  return behind;
}

/** Everything that was there is there, byte for byte of meaning; more may have come. */
export function assertKept(before: Census, after: Census): void {
  assert.deepEqual(after.records.slice(0, before.records.length), before.records);
}

export type Acknowledged = {
  topic: string;
  /** −1 where the broker put it aside for later. */
  queueId: number;
  queueOffset: number;
  uniqueKey: string;
  /** Of the body as it was before any compression. */
  bodyCrc: number;
};

/** What producers were told is stored, where they were told it is. */
export function assertHolds(census: Census, acknowledged: readonly Acknowledged[]): void {
  const byKey = new Map<string, ManifestRecord[]>();
  for (const record of census.records) {
    listIn(byKey, record.properties.UNIQ_KEY).push(record);
  }
  for (const message of acknowledged) {
    const records = byKey.get(message.uniqueKey) ?? [];
    const record =
      message.queueId < 0
        ? records[0]
        : records.find(
            ({ topic, queueId, queueOffset }) =>
              topic === message.topic && queueId === message.queueId && queueOffset === message.queueOffset,
          );
    assert.ok(record !== undefined, `acknowledged, and not in the log: ${JSON.stringify(message)}`);
    if ((record.sysFlag & compressed) === 0) {
      assert.equal(crc32(Buffer.from(record.bodyHex, 'hex')), message.bodyCrc, JSON.stringify(message));
    }
  }
}

const compressed = 1;

/** Bodies of a topic's only queue, as text. */
export function bodiesOf(census: Census | undefined, topic: string): string[] {
  return (census?.queues.get(`${topic} 0`) ?? []).map(({ bodyHex }) => Buffer.from(bodyHex, 'hex').toString('utf8'));
}

function listIn<K, V>(map: Map<K, V[]>, key: K): V[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
