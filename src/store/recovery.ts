import { assert, isZeros } from '../common/mod.ts';
import type { Log } from '../io/mod.ts';
import { blankSize, findRecord, isStorableTopicName, type StoredMessage } from '../message/mod.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import type { Deletions } from './deletions.ts';
import { type Dispatch, dispatchOf, lightQueuePrefix } from './dispatch.ts';
import { Doubts } from './doubts.ts';
import type { LogFiles } from './log-files.ts';
import { type LogItem, LogReader, sectorSize } from './log-reader.ts';
import type { MessageIndex } from './message-index.ts';
import type { Queues } from './queues.ts';
import type { LeftOpen } from './store-directory.ts';

/**
 * Opening: find how far queues and index can be believed, walk the log from there, cut off its tail where the records
 * end, and build again what the walk shows to be missing. The time depends on the tail.
 *
 *     our checkpoint agrees with the log,    walk from its offset
 *       and no Java broker came since
 *     clean stop of a Java broker            walk from the last record that a queue knows
 *     crash of a Java broker                 walk from the newest segment older than Apache's checkpoint
 *     anything lost or contradictory         forget queues and index, walk the whole log
 */
export interface RecoveryParts {
  /** The store's directory. */
  root: string;
  files: LogFiles;
  queues: Queues;
  index: MessageIndex;
  checkpoints: Checkpoints;
  deletions: Deletions;
  log: Log;
  left: LeftOpen;
  /** A Java broker opened the store after our last checkpoint: topics may have been deleted that it counts. */
  openedByJava: boolean;
  checkCrc: boolean;
  delayLevelsMs: readonly number[];
  indexEnabled: boolean;
}

export interface Recovered {
  /** The log's end. */
  end: number;
  lastTimestampMs: number;
  lastOffset: number;
  lastSize: number;
  /** Sum of all queues' units. */
  units: number;
}

type Parts = RecoveryParts & {
  hasLightQueues: boolean;
  cleanStop: boolean;
  /** Where the first message of a queue is whose entries are all made again, by `topic/queueId`, as its files said. */
  births: Map<string, { offset: number; isSure: boolean }>;
};

/** What was believed turned out to be wrong: everything is built again. */
class Contradiction extends Error {}

/** Records dispatched between two writes of queues and index. */
const dispatchBatchCount = 100_000;
const scanSize = 1 << 20;

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const own = parts.files.starts.length === 0 ? undefined : await parts.checkpoints.readOwn();
  // Users may set the property too: it counts where a Java broker made such queues.
  const hasLightQueues = await parts.queues.files.hasTopicLike(lightQueuePrefix);
  const cleanStop = parts.left === 'by nobody';
  const believed = parts.openedByJava ? undefined : own;
  const recovered = await build({ ...parts, hasLightQueues, cleanStop, births: new Map() }, believed);
  // Without a checkpoint of ours, no process of ours has written here.
  if (!cleanStop) {
    const from = Math.max(own?.offset ?? parts.files.startOf(recovered.end), parts.files.minOffset);
    await secure(parts, from, recovered.end, own !== undefined);
  }
  return recovered;
}

async function build(parts: Parts, own: Checkpoint | undefined): Promise<Recovered> {
  const { files, log } = parts;
  if (files.starts.length === 0) {
    await forget(parts);
    return { end: 0, lastTimestampMs: 0, lastOffset: 0, lastSize: 0, units: 0 };
  }
  try {
    return await recoverFrom(parts, own);
  } catch (error) {
    if (!(error instanceof Contradiction)) throw error;
    log.warn('store.recovery.rebuild', { cause: error.message }, 'queues and index are built again from the whole log');
    await forget(parts);
    return await walk(parts, files.minOffset, undefined, true);
  }
}

async function forget({ queues, index }: RecoveryParts): Promise<void> {
  for (const name of queues.table.topicNames) await queues.removeTopic(name);
  for (const { topic } of await queues.files.list()) await queues.files.removeTopic(topic);
  await index.clear();
}

async function recoverFrom(parts: Parts, own: Checkpoint | undefined): Promise<Recovered> {
  const { files, queues, index, checkpoints, cleanStop, log } = parts;
  if (own !== undefined && own.offset >= files.minOffset) {
    const { units, whole } = await queues.load(own.offset, !cleanStop, log);
    if (!whole) throw new Contradiction('a queue file is missing');
    if (units !== own.units) {
      throw new Contradiction(`the queues hold ${units} entries, the checkpoint says ${own.units}`);
    }
    refuseDeleted(parts, own.offset);
    if (!(await index.load(own.offset, cleanStop))) throw new Contradiction('an index file is torn');
    return await walk(parts, own.offset, own, false);
  }
  // Queues and index of ours were believed up to a place that is no more: a disk in trouble held the checkpoint back.
  if (own !== undefined && parts.left === 'by us') throw new Contradiction('the checkpoint is older than the log');
  let from = files.minOffset;
  if (cleanStop) {
    const { physicalEnd, whole } = await queues.load(Number.MAX_SAFE_INTEGER, false, log);
    if (!whole) throw new Contradiction('a queue file is missing');
    if (physicalEnd > from && files.has(physicalEnd)) from = physicalEnd;
    else if (physicalEnd > from) throw new Contradiction(`a queue knows offset ${physicalEnd}, beyond the log`);
    else if (queues.table.count > 0) throw new Contradiction('the queues know no record of the log');
  } else {
    from = await segmentBefore(parts, await checkpoints.readApache());
    const { births } = await queues.load(from, true, log);
    for (const [queue, offset] of births) parts.births.set(queue, { offset, isSure: false });
  }
  refuseDeleted(parts, from);
  if (!(await index.load(from, cleanStop))) throw new Contradiction('an index file is torn');
  return await walk(parts, from, undefined, from === files.minOffset);
}

/** The newest segment that begins at or before the time; the first one when there is none. */
async function segmentBefore({ files }: RecoveryParts, timestampMs: number): Promise<number> {
  const reader = new LogReader(files, { checkCrc: true });
  for (let i = files.starts.length - 1; i > 0; i--) {
    const item = await reader.at(files.starts[i]);
    if (item.kind !== 'record') continue;
    const time = item.record.storeTimestampMs;
    if (time > 0 && time <= timestampMs) return files.starts[i];
  }
  return files.minOffset;
}

/** What the queue files hold of a topic that was deleted after the checkpoint is not what follows it in the log. */
function refuseDeleted({ queues, deletions }: Parts, from: number): void {
  for (const queue of queues.table.queues()) {
    const { name } = queues.table.topicOf(queue);
    // What lies below `from` is all older than a deletion at that place.
    if (queues.table.nextUnit[queue] > 0 && deletions.covers(name, from - 1)) {
      throw new Contradiction(`${name} was deleted, and its queues are there`);
    }
  }
}

/** Dispatches all records from `from` on. `whole`: nothing was believed, gaps in a queue are gaps in the log. */
async function walk(parts: Parts, from: number, own: Checkpoint | undefined, whole: boolean): Promise<Recovered> {
  const { files, queues, index, log, checkCrc } = parts;
  const reader = new LogReader(files, { checkCrc });
  const doubts = own !== undefined && parts.left === 'by us' ? new Doubts(queues.table, own) : undefined;
  const state: Recovered = {
    end: from,
    lastTimestampMs: own?.lastTimestampMs ?? 0,
    lastOffset: own?.lastOffset ?? 0,
    lastSize: own?.lastSize ?? 0,
    units: 0,
  };
  let undispatched = 0;
  let dispatched = 0;
  let unplaced = 0;
  let item: LogItem;
  for (;;) {
    item = await reader.at(state.end);
    if (item.kind === 'end') break;
    if (item.kind === 'blank') {
      // A blank without a segment behind it: the crash came between. The next record makes the segment.
      state.end = item.next;
      continue;
    }
    const { record } = item;
    const isDeleted = parts.deletions.covers(record.topic, item.offset) || (await isBeforeBirth(parts, record));
    const doubt = isDeleted ? undefined : doubts?.judge(record);
    if (doubt !== undefined) {
      item = { kind: 'end', ...doubt, sizeBytes: 0, zeros: false };
      break;
    }
    const made = dispatchOf(record, parts.delayLevelsMs);
    if (isDeleted) made.hasUnit = false;
    if (!(await dispatch(parts, record, made, whole))) unplaced += 1;
    state.lastTimestampMs = record.storeTimestampMs;
    state.lastOffset = item.offset;
    state.lastSize = record.sizeBytes;
    state.end = item.offset + record.sizeBytes;
    dispatched += 1;
    if (++undispatched >= dispatchBatchCount) {
      await queues.write();
      await index.write();
      undispatched = 0;
    }
  }
  if (own !== undefined && item.zeros && parts.cleanStop && dispatched === 0) {
    // Nobody wrote since: what lies beyond is as it was left.
  } else {
    await cutTail(parts, item);
  }
  if (unplaced > 0) {
    const message = 'records whose queue offset is taken, or out of reach, are in no queue';
    log.warn('store.recovery.unplaced', { records: unplaced }, message);
  }
  for (const queue of queues.table.queues()) state.units += queues.table.nextUnit[queue];
  log.info(
    'store.recovered',
    { fromOffset: from, endOffset: state.end, records: dispatched, queues: queues.table.count },
    'the store is recovered',
  );
  return state;
}

/**
 * Whether the record belongs to a topic that a Java broker deleted, and made anew: the queue's files began with a later
 * message, whose offset is 0. The log alone would give the offsets of the new topic to messages of the old one.
 */
async function isBeforeBirth({ births, files }: Parts, record: StoredMessage): Promise<boolean> {
  const name = `${record.topic}/${record.queueId}`;
  const birth = births.get(name);
  if (birth === undefined || record.physicalOffset >= birth.offset) return false;
  if (!birth.isSure) {
    const item = files.has(birth.offset) ? await new LogReader(files, { checkCrc: true }).at(birth.offset) : undefined;
    birth.isSure =
      item?.kind === 'record' &&
      item.record.topic === record.topic &&
      item.record.queueId === record.queueId &&
      item.record.queueOffset === 0;
    if (!birth.isSure) births.delete(name);
  }
  return birth.isSure;
}

/**
 * What a killed process left to the page cache is about to be readable, and must not be lost after that. A sync of its
 * that failed has marked pages clean that no later sync will write: hence the tail is written again, then synced.
 */
async function secure({ files }: RecoveryParts, from: number, end: number, again: boolean): Promise<void> {
  const bytes = new Uint8Array(again ? Math.min(scanSize, files.segmentSize) : 0);
  for (let at = from; again && at < end; ) {
    const start = files.startOf(at);
    const file = await files.file(at);
    const length = Math.min(scanSize, end - at, start + files.segmentSize - at);
    const got = await file.read(bytes, 0, length, at - start);
    await file.write(bytes, 0, got, at - start);
    at += length;
  }
  for (let start = files.startOf(from); start < end; start += files.segmentSize) {
    const file = await files.file(start);
    await file.syncData();
  }
}

/** Gives queues and index what the record makes; false when a queue cannot take it. */
async function dispatch(parts: Parts, record: StoredMessage, made: Dispatch, whole: boolean): Promise<boolean> {
  const { index, indexEnabled, hasLightQueues } = parts;
  if (indexEnabled) for (const hash of made.keyHashes) index.add(hash, record.physicalOffset, record.storeTimestampMs);
  if (!made.hasUnit) return true;
  let placed = await addUnit(parts, record, record, made.tagsCode, whole);
  for (const { topic, queueOffset } of hasLightQueues ? made.lightQueues : []) {
    placed = (await addUnit(parts, { topic, queueId: 0, queueOffset }, record, made.tagsCode, whole)) && placed;
  }
  return placed;
}

async function addUnit(
  { queues }: RecoveryParts,
  place: { topic: string; queueId: number; queueOffset: number },
  record: StoredMessage,
  tagsCode: number,
  whole: boolean,
): Promise<boolean> {
  const { topic, queueId, queueOffset } = place;
  // A name becomes a directory, whoever wrote the record.
  if (!isStorableTopicName(topic) || queueId < 0 || queueOffset < 0 || queueOffset > queueOffsetMax) return false;
  const { table, pages } = queues;
  let queue = table.find(topic, queueId);
  if (queue < 0) {
    queue = table.findOrAdd(topic, queueId);
    await startQueue(queues, queue, queueOffset);
  }
  const expected = table.nextUnit[queue];
  // Of two records for one offset RocketMQ keeps the first, too (ConsumeQueue.putMessagePositionInfo).
  if (queueOffset < expected) return false;
  if (queueOffset > expected && !whole) {
    throw new Contradiction(`${topic}/${queueId} ends at ${expected}, the log goes on at ${queueOffset}`);
  }
  if (queueOffset - expected > gapUnitsMax) return false;
  while (table.nextUnit[queue] <= queueOffset) {
    if (!pages.hasRoom(1)) {
      await queues.write();
      assert(pages.hasRoom(1), 'written entries make room for others');
    }
    const isGap = table.nextUnit[queue] < queueOffset;
    if (isGap) pages.append(queue, 0, 0, 0);
    else pages.append(queue, record.physicalOffset, record.sizeBytes, tagsCode);
    table.visible[queue] = table.nextUnit[queue];
    queues.markDirty(queue);
  }
  return true;
}

/** So that byte offsets in a queue's files are safe integers. */
const queueOffsetMax = 2 ** 48;
/** Offsets that the log lacks within a queue; more than these is damage. */
const gapUnitsMax = 1_000_000;

/** A queue whose first record is not its offset 0: what was before has aged out of the log. */
async function startQueue(queues: Queues, queue: number, unit: number): Promise<void> {
  if (unit === 0) return;
  const { table } = queues;
  table.minUnit[queue] = unit;
  table.fileUnits[queue] = unit;
  table.visible[queue] = unit;
  table.nextUnit[queue] = unit;
  await queues.files.markStart(table.topicOf(queue).name, table.queueIds[queue], unit);
}

/**
 * Makes everything behind the last record zeros. A write that a power failure interrupted leaves whole sectors of
 * zeros; damage of another kind with a valid record behind it is no torn tail, and is not ours to cut.
 */
async function cutTail(parts: RecoveryParts, item: LogItem & { kind: 'end' }): Promise<void> {
  const { files, log } = parts;
  if (!files.has(item.offset)) return;
  const start = files.startOf(item.offset);
  const segmentEnd = start + files.segmentSize;
  // A record that lies within what a torn one says to be shows that the size is wrong.
  const end = (await isTorn(files, item)) ? item.offset + item.sizeBytes : Number.MAX_SAFE_INTEGER;
  const survivor = await recordBehind(files, item.offset, end);
  if (survivor !== undefined) throw new Error(refusalOf(parts, item, survivor));
  while (files.starts[files.starts.length - 1] > start) await files.removeLast();
  const file = await files.file(item.offset);
  const bytes = new Uint8Array(Math.min(scanSize, segmentEnd - item.offset));
  const zeros = new Uint8Array(bytes.length);
  let cutBytes = 0;
  for (let at = item.offset; at < segmentEnd; at += bytes.length) {
    const length = Math.min(bytes.length, segmentEnd - at);
    const got = await file.read(bytes, 0, length, at - start);
    if (isZeros(bytes.subarray(0, got))) continue;
    await file.write(zeros, 0, length, at - start);
    cutBytes += length;
  }
  if (cutBytes === 0) return;
  await file.syncData();
  log.warn('store.recovery.cut', { offset: item.offset, why: item.why }, 'an unfinished tail was cut off the log');
}

function refusalOf({ root, files }: RecoveryParts, item: LogItem & { kind: 'end' }, survivor: number): string {
  const elsewhere = files.directory === `${root}/commitlog` ? '' : ` --commit-log ${files.directory}`;
  return (
    `${files.pathOf(files.startOf(item.offset))} is damaged at offset ${item.offset} (${item.why}), and a valid record ` +
    `follows at ${survivor}. Restore the file from a copy, or cut the log there, which loses what follows; this says ` +
    `what: liftmq store recover ${root}${elsewhere} --cut ${item.offset}`
  );
}

/**
 * Whether a sector that the record at the end reaches into was never written; for zeros, whether they go on to the end
 * of their sector.
 */
async function isTorn(files: LogFiles, item: LogItem & { kind: 'end' }): Promise<boolean> {
  const start = files.startOf(item.offset);
  const inSegment = item.offset - start;
  const file = await files.file(item.offset);
  const wanted = item.zeros ? sectorSize - (inSegment % sectorSize) : item.sizeBytes;
  const bytes = new Uint8Array(Math.min(wanted, files.segmentSize - inSegment));
  await file.read(bytes, 0, bytes.length, inSegment);
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + sectorSize - ((inSegment + at) % sectorSize));
    if (isZeros(bytes.subarray(at, end))) return true;
    at = end;
  }
  return false;
}

/** The first valid record that begins behind `offset` and before `end`: in the same segment, or first in a later one. */
async function recordBehind(files: LogFiles, offset: number, end: number): Promise<number | undefined> {
  const reader = new LogReader(files, { checkCrc: true });
  const file = await files.file(offset);
  const start = files.startOf(offset);
  const segmentEnd = start + files.segmentSize;
  const searchEnd = Math.min(end, segmentEnd);
  const bytes = new Uint8Array(Math.min(scanSize, segmentEnd - offset));
  for (let at = offset + 1; at < searchEnd; at += Math.max(1, bytes.length - blankSize)) {
    const got = await file.read(bytes, 0, Math.min(bytes.length, segmentEnd - at), at - start);
    // A record that begins at the end is none before it.
    const view = bytes.subarray(0, Math.min(got, searchEnd - 1 + blankSize - at));
    for (let place = findRecord(view, 0); place >= 0; place = findRecord(view, place + 1)) {
      const item = await reader.at(at + place);
      if (item.kind === 'record') return at + place;
    }
  }
  for (const later of files.starts) {
    if (later > start && later < end && (await reader.at(later)).kind === 'record') return later;
  }
  return undefined;
}
