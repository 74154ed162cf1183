import { assert } from '../common/mod.ts';
import { type Disk, DiskError, type File } from '../io/mod.ts';

/**
 * Files of one fixed size that hold a stretch of an endless sequence of bytes each. A file is named by the offset of
 * its first byte, in 20 decimal digits, and has its full size from the start (sparse zeros), since a Java broker
 * refuses a directory with a file of another size (RocketMQ: MappedFileQueue.load).
 */
const nameLength = 20;

export function segmentName(start: number): string {
  assert(Number.isSafeInteger(start) && start >= 0, 'a segment starts at a whole offset');
  return String(start).padStart(nameLength, '0');
}

/** Undefined when the name is none of a segment. */
function parseSegmentName(name: string): number | undefined {
  if (!/^\d{20}$/.test(name)) return undefined;
  const start = Number(name);
  return Number.isSafeInteger(start) ? start : undefined;
}

/** Starts of the segments in a directory, ascending; none when the directory is absent. */
export async function listSegments(disk: Disk, directory: string): Promise<number[]> {
  try {
    const starts: number[] = [];
    for (const entry of await disk.list(directory)) {
      const start = entry.kind === 'file' ? parseSegmentName(entry.name) : undefined;
      if (start !== undefined) starts.push(start);
    }
    return starts;
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Opens the segment for reading and writing, made at its full size when absent or shorter. */
export async function openSegment(
  disk: Disk,
  directory: string,
  start: number,
  sizeBytes: number,
): Promise<{ file: File; created: boolean }> {
  const file = await disk.open(`${directory}/${segmentName(start)}`, 'create');
  try {
    const found = await file.sizeBytes();
    if (found > sizeBytes) {
      throw new Error(`${file.path} has ${found} bytes, the configured size is ${sizeBytes}: restore the setting`);
    }
    if (found < sizeBytes) await file.truncate(sizeBytes);
    return { file, created: found === 0 };
  } catch (error) {
    await file.close();
    throw error;
  }
}
