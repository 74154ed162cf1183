import fs from 'node:fs';
import { dirname } from 'node:path';
import { type DirectoryEntry, type Disk, DiskError, type DiskErrorCode, type File, type OpenMode } from '../disk.ts';
import { lockDirectory } from './directory-lock.ts';
import { createLanes, type Lane, type Lanes } from './lane.ts';

/**
 * Files through libuv's threads. Reads and directory work go through lanes; writes and syncs do not, since whoever
 * writes the log keeps one under way and must never wait behind a cold read.
 */
export function createNodeDisk(options: { lanes?: Lanes } = {}): Disk {
  const { slow, metadata } = options.lanes ?? createLanes();

  function directoryWork<T>(operation: string, path: string, call: (done: Done<T>) => void): Promise<T> {
    return metadata.run(() => settle(operation, path, call));
  }

  return {
    async open(path, mode) {
      const descriptor = await directoryWork<number>('open', path, (done) =>
        fs.open(path, openFlags[mode], 0o644, done),
      );
      const kind = await directoryWork<fs.Stats>('open', path, (done) => fs.fstat(descriptor, done));
      if (kind.isDirectory()) {
        fs.close(descriptor, () => {});
        throw new DiskError('EISDIR', 'open', path);
      }
      return new NodeFile(path, descriptor, slow, metadata);
    },

    makeDirectory: (path) => metadata.run(() => makeDirectories(path)),

    async list(path) {
      const entries = await directoryWork<fs.Dirent[]>('list', path, (done) =>
        fs.readdir(path, { withFileTypes: true }, done),
      );
      const found: DirectoryEntry[] = entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async stat(path) {
      const stat = await directoryWork<fs.Stats>('stat', path, (done) => fs.stat(path, done));
      return { kind: kindOf(stat), sizeBytes: stat.size, modifiedMs: stat.mtimeMs };
    },

    rename: (from, to) => directoryWork('rename', from, (done) => fs.rename(from, to, done)),

    remove: (path) => directoryWork('remove', path, (done) => fs.unlink(path, done)),

    removeTree: (path) =>
      directoryWork('remove tree', path, (done) => fs.rm(path, { recursive: true, force: true }, done)),

    syncDirectory: (path) =>
      metadata.run(async () => {
        const descriptor = await settle<number>('sync directory', path, (done) =>
          fs.open(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, done),
        );
        try {
          await settle<void>('sync directory', path, (done) => fs.fsync(descriptor, done));
        } finally {
          await settle<void>('sync directory', path, (done) => fs.close(descriptor, done));
        }
      }),

    async space(path) {
      const stat = await directoryWork<fs.StatsFs>('space', path, (done) => fs.statfs(path, done));
      return { totalBytes: (stat.blocks - stat.bfree + stat.bavail) * stat.bsize, freeBytes: stat.bavail * stat.bsize };
    },

    lockDirectory,
  };
}

/**
 * Level by level: Node's own recursive mkdir never ends where a file system answers ENOENT although the parent is there,
 * as /proc does.
 */
async function makeDirectories(path: string): Promise<void> {
  const problem = await makeOne(path);
  if (problem === undefined) return;
  const parent = dirname(path);
  if (problem.code !== 'ENOENT' || parent === path) throw problem;
  await makeDirectories(parent);
  const stillThere = await makeOne(path);
  if (stillThere !== undefined) throw stillThere;
}

/** Gives why it is not there now. */
async function makeOne(path: string): Promise<DiskError | undefined> {
  try {
    await settle<void>('make directory', path, (done) => fs.mkdir(path, done));
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (error.code !== 'EEXIST') return error;
    const stat = await settle<fs.Stats>('make directory', path, (done) => fs.stat(path, done));
    return stat.isDirectory() ? undefined : error;
  }
}

const openFlags: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
  exclusive: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

class NodeFile implements File {
  readonly path: string;
  readonly #descriptor: number;
  readonly #slow: Lane;
  readonly #metadata: Lane;
  #underWay = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(path: string, descriptor: number, slow: Lane, metadata: Lane) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#slow = slow;
    this.#metadata = metadata;
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): Promise<number> {
    return this.#call('read', () =>
      this.#slow.run(async () => {
        let taken = 0;
        while (taken < length) {
          const got = await settle<number>('read', this.path, (done) =>
            fs.read(this.#descriptor, target, targetOffset + taken, length - taken, position + taken, done),
          );
          if (got === 0) break;
          taken += got;
        }
        return taken;
      }),
    );
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): Promise<void> {
    return this.#call('write', async () => {
      let given = 0;
      while (given < length) {
        given += await settle<number>('write', this.path, (done) =>
          fs.write(this.#descriptor, source, sourceOffset + given, length - given, position + given, done),
        );
      }
    });
  }

  syncData(): Promise<void> {
    return this.#call('sync', () => settle<void>('sync', this.path, (done) => fs.fdatasync(this.#descriptor, done)));
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#call('truncate', () =>
      this.#metadata.run(() =>
        settle<void>('truncate', this.path, (done) => fs.ftruncate(this.#descriptor, sizeBytes, done)),
      ),
    );
  }

  sizeBytes(): Promise<number> {
    return this.#call('size', async () => {
      const stat = await this.#metadata.run(() =>
        settle<fs.Stats>('size', this.path, (done) => fs.fstat(this.#descriptor, done)),
      );
      return stat.size;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#metadata.run(() => settle<void>('close', this.path, (done) => fs.close(this.#descriptor, done)));
  }

  /** Counts the call, so that the descriptor is not closed, and given to another file, under it. */
  async #call<T>(operation: string, call: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new DiskError('ECLOSED', operation, this.path);
    this.#underWay += 1;
    try {
      return await call();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function settle<T>(operation: string, path: string, call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error === null) resolve(value as T);
      else reject(new DiskError(codeOf(error), operation, path, error));
    });
  });
}

const codes: Record<string, DiskErrorCode> = {
  ENOENT: 'ENOENT',
  EEXIST: 'EEXIST',
  ENOTDIR: 'ENOTDIR',
  EISDIR: 'EISDIR',
  ENOTEMPTY: 'ENOTEMPTY',
  EACCES: 'EACCES',
  EPERM: 'EACCES',
  EROFS: 'EROFS',
  ENOSPC: 'ENOSPC',
  EDQUOT: 'ENOSPC',
  EIO: 'EIO',
  EMFILE: 'EMFILE',
  ENFILE: 'EMFILE',
  EBADF: 'ECLOSED',
};

function codeOf(error: NodeJS.ErrnoException): DiskErrorCode {
  return codes[error.code ?? ''] ?? 'EOTHER';
}

function kindOf(entry: fs.Dirent | fs.Stats): DirectoryEntry['kind'] {
  if (entry.isFile()) return 'file';
  return entry.isDirectory() ? 'directory' : 'other';
}
