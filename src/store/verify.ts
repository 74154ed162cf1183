import { JsonError, parseLooseJson } from '../common/mod.ts';
import { readStateFile } from '../io/mod.ts';
import { isDlqTopic, isRetryTopic, isSystemTopic, type StoredMessage } from '../message/mod.ts';
import { Deletions } from './deletions.ts';
import { dispatchOf } from './dispatch.ts';
import type { IndexShape } from './index-file.ts';
import { type Damage, walkLog } from './log-walk.ts';
import type { StoreFiles } from './store-files.ts';
import { IndexCheck, type IndexFault } from './verify-index.ts';
import { QueueCheck, type QueueFault } from './verify-queues.ts';

/**
 * Looks at a whole store: every record of the log, every entry of queues and index against it, the small files. Changes
 * nothing. Of a store that a broker has open, only what lies below the checkpoint is looked at.
 */
export interface VerifyOptions {
  delayLevelsMs: readonly number[];
  indexShape: IndexShape;
  progress: (doneBytes: number, totalBytes: number) => void;
}

export interface Findings {
  minOffset: number;
  endOffset: number;
  records: number;
  /** In the log with a valid record behind: a start refuses. At most `kept` of each kind are listed. */
  damages: Damage[];
  /** What the next start cuts off: a write that was not finished. */
  tornTail: Damage | undefined;
  queueFaults: QueueFault[];
  queueFaultCount: number;
  indexFaults: IndexFault[];
  indexFaultCount: number;
  /** Records behind the checkpoint that queues do not know yet: the next start adds them. */
  pending: number;
  /** Records of topics that were deleted. */
  ofDeletedTopics: number;
  /** Below the root. */
  damagedFiles: string[];
  isHeld: boolean;
  isClosed: boolean;
}

const kept = 100;
const awaitedMax = 100_000;

export function isSound(found: Findings): boolean {
  const { damages, queueFaultCount, indexFaultCount, damagedFiles } = found;
  return damages.length === 0 && queueFaultCount === 0 && indexFaultCount === 0 && damagedFiles.length === 0;
}

export async function verifyStore(store: StoreFiles, options: VerifyOptions): Promise<Findings> {
  const { log, disk, root, checkpointOffset, isHeld, isClosed } = store;
  const last = log.starts[log.starts.length - 1] ?? 0;
  const end = isHeld && checkpointOffset !== undefined ? checkpointOffset : last + log.segmentSize;
  const found: Findings = {
    minOffset: log.minOffset,
    endOffset: end,
    records: 0,
    damages: [],
    tornTail: undefined,
    queueFaults: [],
    queueFaultCount: 0,
    indexFaults: [],
    indexFaultCount: 0,
    pending: 0,
    ofDeletedTopics: 0,
    damagedFiles: await damagedJson(store),
    isHeld,
    isClosed,
  };
  const deletions = new Deletions(disk, root);
  await deletions.load();
  const topics = await topicsOf(store);
  const queues = await QueueCheck.open(disk, `${root}/consumequeue`);
  const index = await IndexCheck.open(disk, `${root}/index`, options.indexShape);
  // Behind it entries may be on their way.
  const settled = checkpointOffset ?? (isClosed ? end : log.minOffset);

  /** Records in whose place a queue has a later one, by the offset of that. */
  const awaited = new Map<number, Omit<QueueFault, 'why'>>();

  const queueFault = (fault: QueueFault) => {
    found.queueFaultCount += 1;
    if (found.queueFaults.length < kept) found.queueFaults.push(fault);
  };
  const record = async (message: StoredMessage) => {
    found.records += 1;
    const { topic, queueId, queueOffset, physicalOffset } = message;
    const made = dispatchOf(message, options.delayLevelsMs);
    const lacking = await index.record(physicalOffset, made.keyHashes, log.minOffset);
    if (lacking > 0 && physicalOffset >= (index.firstOffset ?? 0) && physicalOffset < settled) {
      index.faults.push({ file: '', why: `${lacking} keys of the record at ${physicalOffset} are not in the index` });
    }
    if (!made.hasUnit) return;
    const isDeleted = deletions.covers(topic, physicalOffset) || isUnknown(topics, topic);
    const verdict = isDeleted ? undefined : await queues?.judge(message, made);
    if (isDeleted) {
      found.ofDeletedTopics += 1;
      return;
    }
    const place = { topic, queueId, queueOffset, physicalOffset };
    if (verdict?.kind === 'later' && awaited.size < awaitedMax) {
      awaited.set(verdict.physicalOffset, place);
      return;
    }
    const before = awaited.get(physicalOffset);
    if (before?.topic === topic && before.queueId === queueId && before.queueOffset === queueOffset) {
      awaited.delete(physicalOffset);
      found.ofDeletedTopics += 1;
    }
    const expected = queues?.expectedOffset(message);
    if (expected !== undefined && expected !== queueOffset) {
      queueFault({ ...place, why: `the queue's record before it makes ${expected} the next offset` });
    }
    if (verdict?.kind === 'later') queueFault({ ...place, why: `the queue says ${verdict.physicalOffset}` });
    else if (verdict?.kind === 'wrong') queueFault({ ...place, why: verdict.why });
    else if (verdict?.kind !== 'right' && physicalOffset >= settled) found.pending += 1;
    else if (verdict?.kind !== 'right') queueFault({ ...place, why: 'the queue does not know the record' });
  };

  found.endOffset = await walkLog(log, log.minOffset, end, {
    record,
    damage: (damage) => {
      if (damage.next === undefined) found.tornTail = damage;
      else if (found.damages.length < kept) found.damages.push(damage);
    },
    progress: (offset) => options.progress(offset - log.minOffset, end - log.minOffset),
  });
  for (const [offset, place] of awaited) queueFault({ ...place, why: `the queue says ${offset}` });
  if (!isHeld) {
    await index.finish();
    for (const fault of (await queues?.surplus()) ?? []) queueFault(fault);
  }
  found.indexFaultCount = index.faults.length;
  found.indexFaults = index.faults.slice(0, kept);
  await queues?.close();
  await index.close();
  return found;
}

/** System, retry and dead-letter topics need no row in topics.json. */
function isUnknown(topics: ReadonlySet<string> | undefined, topic: string): boolean {
  if (topics === undefined || topics.has(topic)) return false;
  return !isSystemTopic(topic) && !isRetryTopic(topic) && !isDlqTopic(topic);
}

/** Undefined when the file is not there. */
async function topicsOf({ disk, root }: StoreFiles): Promise<Set<string> | undefined> {
  const bytes = await readStateFile(disk, `${root}/config/topics.json`);
  const json = bytes === undefined ? undefined : parsed(bytes);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const table = json.topicConfigTable;
  return typeof table === 'object' && table !== null ? new Set(Object.keys(table)) : undefined;
}

async function damagedJson({ disk, root }: StoreFiles): Promise<string[]> {
  const damaged: string[] = [];
  const entries = await disk.list(`${root}/config`).catch(() => []);
  for (const { name, kind } of entries) {
    if (kind !== 'file' || !name.endsWith('.json')) continue;
    const bytes = await readStateFile(disk, `${root}/config/${name}`);
    if (bytes !== undefined && bytes.length > 0 && parsed(bytes) === undefined) damaged.push(`config/${name}`);
  }
  return damaged;
}

function parsed(bytes: Uint8Array) {
  try {
    return parseLooseJson(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
