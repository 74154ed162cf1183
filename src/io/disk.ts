/**
 * The file system as the store uses it. Paths are absolute or relative to the process; `/` separates.
 * Every method rejects with a `DiskError`; nothing is retried here.
 */
export type DiskErrorCode =
  | 'ENOENT'
  | 'EEXIST'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'ENOTEMPTY'
  | 'EACCES'
  | 'EROFS'
  | 'ENOSPC'
  | 'EIO'
  | 'EMFILE'
  | 'ECLOSED'
  | 'EOTHER';

export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;
  readonly path: string;
  constructor(code: DiskErrorCode, operation: string, path: string, cause?: unknown) {
    super(`${operation} ${path}: ${code}`, { cause });
    this.code = code;
    this.path = path;
  }
}

/** `read`: must exist. `write`: must exist, read and write. `create`: made when absent. `exclusive`: must be absent. */
export type OpenMode = 'read' | 'write' | 'create' | 'exclusive';

export interface FileStat {
  kind: 'file' | 'directory' | 'other';
  sizeBytes: number;
  /** Wall time of the last change of contents. */
  modifiedMs: number;
}

export interface DirectoryEntry {
  name: string;
  kind: 'file' | 'directory' | 'other';
}

export interface DiskSpace {
  /** Used, or free for this user: what is reserved for others counts as neither (RocketMQ computes ratios so). */
  totalBytes: number;
  /** Free for this user. */
  freeBytes: number;
}

export interface File {
  readonly path: string;
  /** Reads up to `length` bytes from `position` into `target` at `targetOffset`; fewer only at the end of the file. */
  read(target: Uint8Array, targetOffset: number, length: number, position: number): Promise<number>;
  /** Writes all bytes or rejects; after a rejection any part of them may be in the file. The caller keeps `source` unchanged until it settles. */
  write(source: Uint8Array, sourceOffset: number, length: number, position: number): Promise<void>;
  /** fdatasync. After a rejection the page cache must not be believed: what was written since the last success may be lost. */
  syncData(): Promise<void>;
  /** Sets the size; growth is sparse zeros. */
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  /** Idempotent. Calls under way settle first. */
  close(): Promise<void>;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

export interface Disk {
  open(path: string, mode: OpenMode): Promise<File>;
  /** Also makes the parents; an existing directory is no error. */
  makeDirectory(path: string): Promise<void>;
  /** Sorted by name. */
  list(path: string): Promise<DirectoryEntry[]>;
  stat(path: string): Promise<FileStat>;
  /** Replaces an existing file. Durable only after `syncDirectory` of the directory. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** The directory and all below it; absent is no error. */
  removeTree(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<DiskSpace>;
  /**
   * Holds the directory for this process: one broker a directory. Rejects with EEXIST and a cause that names the
   * holder when another live process (ours, or a Java broker with its `lock` file) has it.
   */
  lockDirectory(path: string): Promise<DirectoryLock>;
}
