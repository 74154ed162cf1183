import { type Disk, DiskError } from './disk.ts';

/**
 * Makes a directory, and its parents, so that it is there after a power failure too: an entry is durable only when the
 * directory that holds it was synced. An existing one is no error.
 */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  if (await exists(disk, path)) return;
  const parent = parentOf(path);
  if (parent !== path) await makeDurableDirectory(disk, parent);
  await disk.makeDirectory(path);
  await disk.syncDirectory(parent);
}

/** `.` for a name without a slash, `/` for the root and what lies in it. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, Math.max(slash, 1));
}

async function exists(disk: Disk, path: string): Promise<boolean> {
  try {
    await disk.stat(path);
    return true;
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return false;
    throw error;
  }
}
