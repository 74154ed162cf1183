import { isZeros, lastNonZero } from '../common/mod.ts';
import type { Disk } from '../io/mod.ts';
import { walkLog } from './log-walk.ts';
import { markOpen } from './store-directory.ts';
import { type StoreFiles, StoreToolError } from './store-files.ts';

/**
 * Repairs a store that is not open: cuts a log that a start refuses as damaged, or has queues and index built again. What
 * is taken away is kept in a directory beside it. The next start recovers the store as after a crash.
 *
 *     <root>/recovered-<time>/commitlog/<segment>    the bytes from the cut on, the rest of the file sparse
 *                             commitlog/<segment> …  later segments
 *                             consumequeue, index, checkpoint, checkpoint.liftmq
 */
export interface CutPlan {
  offset: number;
  /** Valid records behind the cut, which are lost with it. */
  records: number;
  /** From the cut to the last byte that is not zero. */
  bytes: number;
}

export interface RepairWork {
  disk: Disk;
  pid: number;
  /** Where to keep what is taken away. */
  backup: string;
  progress: (doneBytes: number, totalBytes: number) => void;
}

const copySize = 1 << 20;
const derived = ['consumequeue', 'index', 'checkpoint', 'checkpoint.liftmq'];

/** What a cut at `offset` would take. @throws StoreToolError when no record begins there, and no damage. */
export async function planCut(
  store: StoreFiles,
  offset: number,
  progress: (doneBytes: number, totalBytes: number) => void,
): Promise<CutPlan> {
  const { log } = store;
  if (!Number.isSafeInteger(offset) || !log.has(offset)) {
    throw new StoreToolError(`${log.directory} holds offsets from ${log.minOffset} on, not ${offset}`);
  }
  const last = log.starts[log.starts.length - 1] ?? 0;
  const end = last + log.segmentSize;
  let at = log.startOf(offset);
  await walkLog(log, at, offset, {
    record: ({ physicalOffset, sizeBytes }) => {
      at = physicalOffset + sizeBytes;
    },
    damage: (damage) => {
      // What is damaged at the offset itself is what the cut is for.
      if (damage.offset !== offset) {
        throw new StoreToolError(`the log is damaged at ${damage.offset} already, below ${offset}: cut it there`);
      }
    },
    progress: () => {},
  });
  if (at > offset) throw new StoreToolError(`no record begins at ${offset}; the next one begins at ${at}`);
  const plan: CutPlan = { offset, records: 0, bytes: 0 };
  await walkLog(log, offset, end, {
    record: () => {
      plan.records += 1;
    },
    damage: () => {},
    progress: (done) => progress(done - offset, end - offset),
  });
  plan.bytes = (await lastByte(store, offset)) + 1 - offset;
  return plan;
}

/** The last byte of the log that is not zero; `offset` - 1 when there is none from `offset` on. */
async function lastByte({ log }: StoreFiles, offset: number): Promise<number> {
  const bytes = new Uint8Array(Math.min(copySize, log.segmentSize));
  let last = offset - 1;
  for (const start of log.starts) {
    const file = await log.file(start);
    for (let at = Math.max(start, offset); at < start + log.segmentSize; at += bytes.length) {
      const got = await file.read(bytes, 0, Math.min(bytes.length, start + log.segmentSize - at), at - start);
      const index = lastNonZero(bytes.subarray(0, got));
      if (index >= 0) last = at + index;
    }
  }
  return last;
}

/** Keeps what lies from the offset on, then makes it zeros, and removes later segments. */
export async function cutLog(store: StoreFiles, { offset }: CutPlan, work: RepairWork): Promise<void> {
  const { log, root } = store;
  const { disk, pid, backup, progress } = work;
  const start = log.startOf(offset);
  const directory = `${backup}/commitlog`;
  await disk.makeDirectory(directory);
  const total = log.starts.filter((each) => each >= start).length * log.segmentSize;
  let done = 0;
  // Everything is kept before anything is taken away.
  for (const each of log.starts) {
    if (each < start) continue;
    await copySegment(store, each, Math.max(0, offset - each), directory, disk, (bytes) => {
      done += bytes;
      progress(done, total);
    });
  }
  await disk.syncDirectory(directory);
  await disk.syncDirectory(backup);
  await disk.syncDirectory(root);
  await markOpen(disk, root, pid, 'by others');
  while ((log.starts[log.starts.length - 1] ?? 0) > start) await log.removeLast();
  await disk.syncDirectory(log.directory);
  const file = await log.file(offset);
  const bytes = new Uint8Array(Math.min(copySize, log.segmentSize));
  const zeros = new Uint8Array(bytes.length);
  for (let at = offset - start; at < log.segmentSize; at += bytes.length) {
    const length = Math.min(bytes.length, log.segmentSize - at);
    const got = await file.read(bytes, 0, length, at);
    if (!isZeros(bytes.subarray(0, got))) await file.write(zeros, 0, length, at);
  }
  await file.syncData();
}

/** Zeros stay holes. */
async function copySegment(
  { log }: StoreFiles,
  start: number,
  from: number,
  directory: string,
  disk: Disk,
  progress: (bytes: number) => void,
): Promise<void> {
  const source = await log.file(start);
  const path = log.pathOf(start);
  const target = await disk.open(`${directory}${path.slice(path.lastIndexOf('/'))}`, 'exclusive');
  try {
    await target.truncate(log.segmentSize);
    const bytes = new Uint8Array(Math.min(copySize, log.segmentSize));
    for (let at = from; at < log.segmentSize; at += bytes.length) {
      const length = Math.min(bytes.length, log.segmentSize - at);
      const got = await source.read(bytes, 0, length, at);
      if (!isZeros(bytes.subarray(0, got))) await target.write(bytes, 0, got, at);
      progress(length);
    }
    await target.syncData();
  } finally {
    await target.close();
  }
}

/** Moves queues, index and checkpoints away: the next start builds them from the log. */
export async function forgetDerived({ root }: StoreFiles, { disk, pid, backup }: RepairWork): Promise<string[]> {
  await markOpen(disk, root, pid, 'by others');
  const present = new Set((await disk.list(root)).map(({ name }) => name));
  await disk.makeDirectory(backup);
  const moved = derived.filter((name) => present.has(name));
  for (const name of moved) await disk.rename(`${root}/${name}`, `${backup}/${name}`);
  await disk.syncDirectory(backup);
  await disk.syncDirectory(root);
  return moved;
}
