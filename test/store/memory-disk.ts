import { type Disk, DiskError, type File, type OpenMode } from '../../src/io/mod.ts';

/**
 * A disk for tests that open a store tens of thousands of times: files are buffers, calls settle at once, and the whole
 * disk goes back to what it was in microseconds. No faults, no crashes: those are the simulated disk's.
 */
export class MemoryDisk implements Disk {
  #files = new Map<string, Uint8Array>();
  #directories = new Set<string>(['/']);
  readonly #locks = new Set<string>();

  /** What `restore` brings back. */
  snapshot(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#files].map(([path, bytes]) => [path, bytes.slice()]));
  }

  restore(snapshot: ReadonlyMap<string, Uint8Array>): void {
    this.#locks.clear();
    this.#files = new Map([...snapshot].map(([path, bytes]) => [path, bytes.slice()]));
  }

  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** The contents themselves: what is changed in them is changed on the disk. */
  bytesOf(path: string): Uint8Array {
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new DiskError('ENOENT', 'open', path);
    return bytes;
  }

  set(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes);
  }

  async open(path: string, mode: OpenMode): Promise<File> {
    const known = this.#files.has(path);
    if (!known && (mode === 'read' || mode === 'write')) throw new DiskError('ENOENT', 'open', path);
    if (known && mode === 'exclusive') throw new DiskError('EEXIST', 'open', path);
    if (!known) this.#files.set(path, new Uint8Array(0));
    return this.#fileAt(path);
  }

  #fileAt(path: string): File {
    const contents = () => this.#files.get(path) ?? new Uint8Array(0);
    const resize = (sizeBytes: number) => {
      const resized = new Uint8Array(sizeBytes);
      resized.set(contents().subarray(0, sizeBytes));
      this.#files.set(path, resized);
    };
    return {
      path,
      read: async (target, targetOffset, length, position) => {
        const found = contents().subarray(position, position + length);
        target.set(found, targetOffset);
        return found.length;
      },
      write: async (source, sourceOffset, length, position) => {
        if (contents().length < position + length) resize(position + length);
        contents().set(source.subarray(sourceOffset, sourceOffset + length), position);
      },
      syncData: async () => {},
      truncate: async (sizeBytes) => resize(sizeBytes),
      sizeBytes: async () => contents().length,
      close: async () => {},
    };
  }

  async makeDirectory(path: string): Promise<void> {
    for (let at = path; at !== '' && !this.#directories.has(at); at = parentOf(at)) this.#directories.add(at);
  }

  async list(path: string) {
    const names = new Map<string, 'file' | 'directory'>();
    for (const directory of this.#directories) this.#addName(names, path, directory, 'directory');
    for (const file of this.#files.keys()) this.#addName(names, path, file, 'file');
    if (names.size === 0 && !this.#directories.has(path)) throw new DiskError('ENOENT', 'list', path);
    return [...names].map(([name, kind]) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #addName(names: Map<string, 'file' | 'directory'>, path: string, found: string, kind: 'file' | 'directory'): void {
    if (!found.startsWith(`${path}/`)) return;
    const rest = found.slice(path.length + 1);
    const slash = rest.indexOf('/');
    if (slash >= 0) names.set(rest.slice(0, slash), 'directory');
    else if (rest !== '') names.set(rest, kind);
  }

  async stat(path: string) {
    const bytes = this.#files.get(path);
    if (bytes !== undefined) return { kind: 'file' as const, sizeBytes: bytes.length, modifiedMs: 0 };
    if (this.#directories.has(path)) return { kind: 'directory' as const, sizeBytes: 0, modifiedMs: 0 };
    throw new DiskError('ENOENT', 'stat', path);
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.#files.get(from);
    if (bytes === undefined) throw new DiskError('ENOENT', 'rename', from);
    this.#files.delete(from);
    this.#files.set(to, bytes);
  }

  async remove(path: string): Promise<void> {
    if (!this.#files.delete(path)) throw new DiskError('ENOENT', 'remove', path);
  }

  async removeTree(path: string): Promise<void> {
    for (const file of [...this.#files.keys()]) {
      if (file === path || file.startsWith(`${path}/`)) this.#files.delete(file);
    }
    for (const directory of [...this.#directories]) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#directories.delete(directory);
    }
  }

  async syncDirectory(): Promise<void> {}

  async space() {
    return { totalBytes: 1 << 30, freeBytes: 1 << 30 };
  }

  async lockDirectory(path: string) {
    if (this.#locks.has(path)) throw new DiskError('EEXIST', 'lock', path);
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
