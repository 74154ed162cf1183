/**
 * Reads a store's files as any RocketMQ would, without our store's code: records one behind the other in the commit
 * log, dense offsets in every queue, and consume queues and index that say what the log says.
 */
import { readI64 } from '../common/mod.ts';
import {
  checkRecord,
  decodeProperties,
  decodeRecord,
  type StoredMessage,
  SystemTopic,
  tagsCodeOf,
} from '../message/mod.ts';
import { Violation } from './history.ts';
import { checkIndex } from './index-check.ts';
import type { SimDisk } from './sim-disk.ts';

const entryBytes = 20;

/** `topic/queueId` → its records in order; from the first file that retention left. */
export type Log = Map<string, StoredMessage[]>;

/**
 * Throws Violation. The broker of the store has stopped cleanly. Of `deletedTopics`, which were deleted now and then, the
 * log holds more than the queues do, and their offsets begin anew.
 */
export function checkStore(disk: SimDisk, root: string, deletedTopics: ReadonlySet<string>): Log {
  const log = readLog(disk, `${root}/commitlog`);
  for (const [queue, records] of log) {
    const directory = `${root}/consumequeue/${queue}`;
    const [topic = ''] = queue.split('/');
    if (deletedTopics.has(topic)) {
      checkEntriesPoint(disk, directory, records);
      continue;
    }
    checkDense(queue, records);
    checkConsumeQueue(disk, directory, records);
  }
  checkIndex(disk, `${root}/index`, [...log.values()].flat());
  return log;
}

/**
 * What a store that was not stopped cleanly will find: for each queue the offset behind its last record in the longest
 * valid prefix of the log.
 */
export function survivingEnds(disk: SimDisk, root: string): Map<string, number> {
  const log: Log = new Map();
  const directory = `${root}/commitlog`;
  const names = disk.namesIn(directory);
  let expectedOffset = Number(names[0] ?? 0);
  for (const name of names) {
    if (Number(name) !== expectedOffset) break;
    const bytes = disk.peek(`${directory}/${name}`);
    expectedOffset += bytes.length;
    try {
      if (readSegment(bytes, Number(name), log).ended) break;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      break;
    }
  }
  return new Map([...log].map(([queue, records]) => [queue, (records.at(-1)?.queueOffset ?? -1) + 1]));
}

function readLog(disk: SimDisk, directory: string): Log {
  const log: Log = new Map();
  const names = disk.namesIn(directory);
  let expectedOffset = Number(names[0] ?? 0);
  for (const [index, name] of names.entries()) {
    const bytes = disk.peek(`${directory}/${name}`);
    if (Number(name) !== expectedOffset) throw new Violation(`the log has a gap at ${expectedOffset}: next is ${name}`);
    expectedOffset += bytes.length;
    const end = readSegment(bytes, Number(name), log);
    if (end.ended && names.slice(index + 1).some((later) => hasRecords(disk.peek(`${directory}/${later}`)))) {
      throw new Violation(`the log ends in ${name} at ${end.at}, and goes on in a later file`);
    }
  }
  return log;
}

function hasRecords(bytes: Uint8Array): boolean {
  return checkRecord(bytes, 0, bytes.length, { checkCrc: true }).kind === 'record';
}

function readSegment(bytes: Uint8Array, firstOffset: number, log: Log): { ended: boolean; at: number } {
  let at = 0;
  while (at < bytes.length) {
    const check = checkRecord(bytes, at, bytes.length - at, { checkCrc: true });
    if (check.kind === 'blank') return { ended: false, at };
    if (check.kind === 'end') return { ended: true, at };
    if (check.kind !== 'record') {
      throw new Violation(`the log at ${firstOffset + at}: ${check.kind === 'bad' ? check.why : check.kind}`);
    }
    const record = decodeRecord(bytes, at);
    if (record.physicalOffset !== firstOffset + at) {
      throw new Violation(`the record at ${firstOffset + at} says that it lies at ${record.physicalOffset}`);
    }
    // The format's checksum covers the body alone: what was not written behind it is zeros.
    if (record.topic.includes('\0') || record.properties.includes(0)) {
      throw new Violation(`the log at ${firstOffset + at}: a record of which parts were not written`);
    }
    const queue = `${record.topic}/${record.queueId}`;
    const records = log.get(queue);
    if (records === undefined) log.set(queue, [record]);
    else records.push(record);
    at += check.sizeBytes;
  }
  return { ended: false, at };
}

function checkDense(queue: string, records: readonly StoredMessage[]): void {
  const first = records[0]?.queueOffset ?? 0;
  for (const [index, { queueOffset }] of records.entries()) {
    if (queueOffset !== first + index) {
      throw new Violation(`${queue}: offset ${queueOffset} follows ${first + index - 1} in the log`);
    }
  }
}

/** Offset → entry, of those that are there. */
function readQueue(disk: SimDisk, directory: string): Map<number, Uint8Array> {
  const entries = new Map<number, Uint8Array>();
  for (const name of disk.namesIn(directory)) {
    const bytes = disk.peek(`${directory}/${name}`);
    for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
      entries.set((Number(name) + at) / entryBytes, bytes.subarray(at, at + entryBytes));
    }
  }
  return entries;
}

/** Every entry stands for a record of this queue and offset. */
function checkEntriesPoint(disk: SimDisk, directory: string, records: readonly StoredMessage[]): void {
  const known = new Set(records.map(({ physicalOffset, queueOffset }) => `${physicalOffset} ${queueOffset}`));
  for (const [offset, entry] of readQueue(disk, directory)) {
    if (new DataView(entry.buffer, entry.byteOffset, entryBytes).getInt32(8) <= 0) continue;
    const physicalOffset = readI64(entry, 0);
    if (!known.has(`${physicalOffset} ${offset}`)) {
      throw new Violation(`${directory} at ${offset}: the log has no such record at ${physicalOffset}`);
    }
  }
}

function checkConsumeQueue(disk: SimDisk, directory: string, records: readonly StoredMessage[]): void {
  const entries = readQueue(disk, directory);
  for (const record of records) {
    const entry = entries.get(record.queueOffset);
    const where = `${directory} at ${record.queueOffset}`;
    if (entry === undefined) throw new Violation(`${where}: no entry`);
    const view = new DataView(entry.buffer, entry.byteOffset, entryBytes);
    const found = { physicalOffset: readI64(entry, 0), sizeBytes: view.getInt32(8), tagsCode: view.getBigInt64(12) };
    const told = `${found.physicalOffset}+${found.sizeBytes} tags ${found.tagsCode}`;
    const expected = `${record.physicalOffset}+${record.sizeBytes} tags ${expectedTagsCode(record) ?? found.tagsCode}`;
    if (told !== expected) throw new Violation(`${where}: the queue says ${told}, the log ${expected}`);
  }
  const next = (records.at(-1)?.queueOffset ?? -1) + 1;
  const behind = entries.get(next);
  if (behind !== undefined && new DataView(behind.buffer, behind.byteOffset, entryBytes).getInt32(8) > 0) {
    throw new Violation(`${directory} at ${next}: an entry behind the last record of the log`);
  }
}

/** Undefined where it is not a tag's: delayed messages keep their delivery time there. */
function expectedTagsCode(record: StoredMessage): bigint | undefined {
  if (record.topic === SystemTopic.SCHEDULE) return undefined;
  return BigInt(tagsCodeOf(decodeProperties(record.properties).get('TAGS')));
}
