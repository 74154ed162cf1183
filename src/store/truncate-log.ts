import type { Disk, File } from '../io/mod.ts';
import { LogFiles } from './log-files.ts';
import { LogReader } from './log-reader.ts';
import { listSegments } from './segment-file.ts';
import { markOpen, takeDirectory } from './store-directory.ts';

const zeroChunkSize = 1 << 20;

/**
 * Cuts the commit log of a store that is not open at `offset`, which must lie where a record begins, or is damaged: what
 * follows is lost. The next start recovers the store as after a crash. For a log that recovery refuses to cut itself.
 *
 * @param commitLog directory of the segments; `<root>/commitlog` unless `storePathCommitLog` says otherwise.
 * @throws Error whose sentence says why not.
 */
export async function truncateLog(disk: Disk, root: string, commitLog: string, offset: number, pid: number) {
  const lock = await takeDirectory(disk, root);
  try {
    const files = await openLog(disk, commitLog);
    if (!Number.isSafeInteger(offset) || !files.has(offset)) {
      throw new Error(`${commitLog} holds offsets from ${files.minOffset} on, not ${offset}`);
    }
    await checkBoundary(files, offset);
    await markOpen(disk, root, pid, 'by others');
    while ((files.starts[files.starts.length - 1] ?? 0) > offset) await files.removeLast();
    await writeZeros(await files.file(offset), offset - files.startOf(offset), files.segmentSize);
    await files.close();
  } finally {
    await lock.release();
  }
}

/** The segments say their size themselves. */
async function openLog(disk: Disk, directory: string): Promise<LogFiles> {
  const [first] = await listSegments(disk, directory);
  if (first === undefined) throw new Error(`${directory} has no segments of a commit log`);
  const probe = new LogFiles(disk, directory, 1);
  const { sizeBytes } = await disk.stat(probe.pathOf(first));
  const files = new LogFiles(disk, directory, sizeBytes);
  await files.load(true);
  return files;
}

async function checkBoundary(files: LogFiles, offset: number): Promise<void> {
  const reader = new LogReader(files, { checkCrc: false });
  let at = files.startOf(offset);
  while (at < offset) {
    const item = await reader.at(at);
    if (item.kind === 'end') throw new Error(`the log is damaged at ${at} already, below ${offset}: cut it there`);
    at = item.kind === 'blank' ? item.next : at + item.record.sizeBytes;
  }
  if (at !== offset) throw new Error(`no record begins at ${offset}; the next one begins at ${at}`);
}

async function writeZeros(file: File, from: number, to: number): Promise<void> {
  const zeros = new Uint8Array(zeroChunkSize);
  for (let at = from; at < to; at += zeroChunkSize) await file.write(zeros, 0, Math.min(zeroChunkSize, to - at), at);
  await file.syncData();
}
