import { type DirectoryLock, type Disk, DiskError } from '../io/mod.ts';
import { Checkpoints } from './checkpoint.ts';
import { LogFiles } from './log-files.ts';
import { listSegments } from './segment-file.ts';
import { readOpenMark } from './store-directory.ts';

/**
 * A store as the tools see it (`liftmq store …`): the files of a directory that no broker of ours has opened for them.
 * Sizes are read from the files themselves.
 */
export interface StoreFiles {
  readonly root: string;
  /** Opens files to read only, unless the store is held. */
  readonly disk: Disk;
  readonly log: LogFiles;
  /** Up to here log, queues and index were on the disk together; undefined without a checkpoint of ours that agrees. */
  readonly checkpointOffset: number | undefined;
  /** Whether its last process closed it. */
  readonly isClosed: boolean;
  /** A broker of ours has it open: only what lies below the checkpoint stands still. */
  readonly isHeld: boolean;
}

/** What the tools refuse, in a sentence for the user. */
export class StoreToolError extends Error {}

/**
 * Opens a store to look at. With `hold` nobody can start a broker meanwhile, and a running one is an error; without, it is
 * looked at beside a running broker of ours.
 *
 * @throws StoreToolError when there is no store, or it is in use.
 */
export async function openStoreFiles(
  disk: Disk,
  root: string,
  commitLog: string,
  hold: boolean,
): Promise<StoreFiles & { close(): Promise<void> }> {
  const [first] = await listSegments(disk, commitLog);
  if (first === undefined) {
    throw new StoreToolError(
      `${commitLog} has no segments of a commit log: name the store's directory (storePathRootDir), and with ` +
        '--commit-log the log when it lies elsewhere (storePathCommitLog)',
    );
  }
  const lock = await lockIfFree(disk, root);
  if (lock.held !== undefined && hold) throw new StoreToolError(`${lock.held}: stop the broker first`);
  const quiet = hold ? disk : readOnly(disk);
  try {
    const { sizeBytes } = await disk.stat(new LogFiles(disk, commitLog, 1).pathOf(first));
    const log = new LogFiles(quiet, commitLog, sizeBytes);
    const left = await readOpenMark(disk, root);
    // Names were made durable by whoever opens the store to write.
    await log.load(left !== 'by nobody');
    const checkpoint = await new Checkpoints(quiet, root, log).readOwn();
    if (lock.held !== undefined && checkpoint === undefined) {
      throw new StoreToolError(`${lock.held}, and it is no broker of ours: stop it first`);
    }
    return {
      root,
      disk: quiet,
      log,
      checkpointOffset: checkpoint?.offset,
      isClosed: left === 'by nobody',
      isHeld: lock.held !== undefined,
      close: async () => {
        await log.close();
        await lock.free?.release();
      },
    };
  } catch (error) {
    await lock.free?.release();
    throw error;
  }
}

/** Where nothing can be written, nobody else can run a broker either. */
async function lockIfFree(disk: Disk, root: string): Promise<{ held?: string; free?: DirectoryLock }> {
  try {
    return { free: await disk.lockDirectory(root) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (error.code === 'EROFS' || error.code === 'EACCES') return {};
    if (error.code !== 'EEXIST') throw error;
    return { held: error.cause instanceof Error ? error.cause.message : error.message };
  }
}

/** Opens what is there, to read. */
function readOnly(disk: Disk): Disk {
  return {
    open: (path) => disk.open(path, 'read'),
    list: (path) => disk.list(path),
    stat: (path) => disk.stat(path),
    space: (path) => disk.space(path),
    lockDirectory: (path) => disk.lockDirectory(path),
    syncDirectory: async () => {},
    makeDirectory: (path) => refuse('make directory', path),
    rename: (path) => refuse('rename', path),
    remove: (path) => refuse('remove', path),
    removeTree: (path) => refuse('remove tree', path),
  };
}

function refuse(operation: string, path: string): Promise<never> {
  return Promise.reject(new DiskError('EROFS', operation, path));
}
