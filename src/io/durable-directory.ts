import { type Disk, DiskError } from './disk.ts';

/**
 * Makes a directory, and its parents, so that it is there after a power failure too: an entry is durable only when the
 * directory that holds it was synced. Existing ones are no error, and are made durable too.
 */
export async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path);
  for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
    try {
      await disk.syncDirectory(slash === 0 ? '/' : path.slice(0, slash));
    } catch (error) {
      // A parent that we may not read was there before us.
      if (error instanceof DiskError && error.code === 'EACCES') return;
      throw error;
    }
    if (slash === 0) return;
  }
  await disk.syncDirectory('.');
}
