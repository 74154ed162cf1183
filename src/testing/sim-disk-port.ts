/** The Disk port of one simulated process, over the disk of its machine. */
import { type DirectoryLock, type Disk, DiskError, type File, type OpenMode } from '../io/mod.ts';
import type { FileNode } from './directory-tree.ts';
import type { Owner } from './scheduler.ts';
import type { DiskOperation, SimDisk } from './sim-disk.ts';

export interface DiskUser extends Owner {
  readonly pid: number;
  readonly descriptorCountMax: number;
  descriptorCount: number;
}

const lockFileName = 'liftmq.lock';

export function createDiskPort(disk: SimDisk, user: DiskUser): Disk {
  const { tree } = disk;
  const call = <T>(operation: DiskOperation, path: string, act: () => T) => disk.call(user, operation, path, 0, act);

  return {
    open: (path, mode) => call('open', path, () => new SimFile(disk, user, path, openFile(disk, user, path, mode))),
    makeDirectory: (path) => call('make directory', path, () => tree.makeDirectory(path)),
    list: (path) =>
      call('list', path, () =>
        [...tree.directory('list', path).names]
          .map(([name, { kind }]) => ({ name, kind }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      ),
    stat: (path) =>
      call('stat', path, () => {
        const node = tree.find('stat', path);
        if (node === undefined) throw new DiskError('ENOENT', 'stat', path);
        return node.kind === 'file'
          ? { kind: 'file', sizeBytes: node.image.sizeBytes, modifiedMs: node.image.modifiedMs }
          : { kind: 'directory', sizeBytes: 0, modifiedMs: 0 };
      }),
    rename: (from, to) => call('rename', from, () => tree.rename(from, to)),
    remove: (path) => call('remove', path, () => tree.remove(path)),
    removeTree: (path) => call('remove tree', path, () => tree.removeTree(path)),
    syncDirectory: (path) => call('sync directory', path, () => tree.syncDirectory(path)),
    space: (path) =>
      call('space', path, () => {
        if (tree.find('space', path) === undefined) throw new DiskError('ENOENT', 'space', path);
        const { capacityBytes, usedBytes } = disk;
        return { totalBytes: capacityBytes, freeBytes: Math.max(0, capacityBytes - usedBytes) };
      }),
    lockDirectory: (path) => call('lock', path, () => lock(disk, user, path)),
  };
}

function openFile(disk: SimDisk, user: DiskUser, path: string, mode: OpenMode): FileNode {
  if (user.descriptorCount >= user.descriptorCountMax) throw new DiskError('EMFILE', 'open', path);
  const node = disk.tree.find('open', path);
  if (node?.kind === 'directory') throw new DiskError('EISDIR', 'open', path);
  if (node !== undefined && mode === 'exclusive') throw new DiskError('EEXIST', 'open', path);
  if (node !== undefined && mode !== 'read' && disk.readOnly) throw new DiskError('EROFS', 'open', path);
  if (node !== undefined) return node;
  if (mode === 'read' || mode === 'write') throw new DiskError('ENOENT', 'open', path);
  if (disk.readOnly) throw new DiskError('EROFS', 'open', path);
  if (disk.full) throw new DiskError('ENOSPC', 'open', path);
  return disk.tree.createFile(path);
}

function lock(disk: SimDisk, user: DiskUser, path: string): DirectoryLock {
  disk.tree.makeDirectory(path);
  const holder = disk.locks.get(path);
  if (holder?.alive) {
    throw new DiskError('EEXIST', 'lock', path, new Error(`${path} is in use by process ${holder.pid}`));
  }
  disk.locks.set(path, user);
  const filePath = `${path}/${lockFileName}`;
  // Left behind by a process that was killed.
  disk.tree.removeTree(filePath);
  disk.tree.createFile(filePath).image.write(Buffer.from(JSON.stringify({ pid: user.pid })), 0);
  return {
    release: () =>
      // What cannot be removed is left behind, stale, as after a kill.
      disk.call(user, 'close', filePath, 0, () => {
        disk.locks.delete(path);
        if (!disk.readOnly) disk.tree.removeTree(filePath);
      }),
  };
}

class SimFile implements File {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #user: DiskUser;
  readonly #node: FileNode;
  #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(disk: SimDisk, user: DiskUser, path: string, node: FileNode) {
    this.#disk = disk;
    this.#user = user;
    this.path = path;
    this.#node = node;
    user.descriptorCount += 1;
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): Promise<number> {
    return this.#whileOpen('read', () =>
      this.#disk.call(this.#user, 'read', this.path, position ^ length, () =>
        this.#disk.lies('stale read', this.path)
          ? this.#node.image.readStale(target, targetOffset, length, position)
          : this.#node.image.read(target, targetOffset, length, position),
      ),
    );
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): Promise<void> {
    const bytes = source.subarray(sourceOffset, sourceOffset + length);
    return this.#whileOpen('write', () => this.#disk.write(this.#user, this.#node, this.path, bytes, position));
  }

  syncData(): Promise<void> {
    return this.#whileOpen('sync', () => this.#disk.sync(this.#user, this.#node, this.path));
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#whileOpen('truncate', () => this.#disk.truncate(this.#user, this.#node, this.path, sizeBytes));
  }

  sizeBytes(): Promise<number> {
    return this.#whileOpen('size', () =>
      this.#disk.call(this.#user, 'size', this.path, 0, () => this.#node.image.sizeBytes),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    this.#user.descriptorCount -= 1;
    await this.#disk.call(this.#user, 'close', this.path, 0, () => {});
  }

  async #whileOpen<T>(operation: DiskOperation, act: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new DiskError('ECLOSED', operation, this.path);
    const call = act();
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }
}
