import { type Disk, DiskError } from './disk.ts';
import { makeDurableDirectory } from './durable-directory.ts';

/**
 * A small file that is always replaced as a whole (`kvConfig.json`, `topics.json`…): written to `<path>.tmp`, synced,
 * renamed over the old one, and the directory synced. After a crash either the old or the new state is there, never a
 * mixture.
 *
 * One write is in flight; saves asked for meanwhile share the next one, so that a burst of changes costs two writes.
 */
export class StateFile {
  readonly path: string;
  readonly #disk: Disk;
  readonly #encode: () => Uint8Array | Promise<Uint8Array>;
  readonly #keepPrevious: boolean;
  #directoryMade = false;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isBehind = false;

  /**
   * `encode` gives the newest state; it is called when a write begins, which may be later than the `save` that asked.
   * `keepPrevious` leaves the state before as `<path>.bak`, as RocketMQ's broker does.
   */
  constructor(
    disk: Disk,
    path: string,
    encode: () => Uint8Array | Promise<Uint8Array>,
    options: { keepPrevious?: boolean } = {},
  ) {
    this.path = path;
    this.#disk = disk;
    this.#encode = encode;
    this.#keepPrevious = options.keepPrevious ?? false;
  }

  /**
   * Resolves when the state as it is now, or a newer one, is durable. Rejects with DiskError (or what `encode` threw):
   * the file then holds an older whole state, and a later save writes everything again.
   */
  save(): Promise<void> {
    if (this.#writing === undefined) {
      this.#writing = this.#writeAll().finally(() => {
        this.#writing = undefined;
      });
      return this.#writing;
    }
    if (this.#next === undefined) {
      const afterThis = () => {
        this.#next = undefined;
        return this.save();
      };
      this.#next = this.#writing.then(afterThis, afterThis);
    }
    return this.#next;
  }

  /** Resolves when no write is under way, failed or not. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await Promise.allSettled([this.#next ?? this.#writing]);
  }

  /** The last save failed: only a later one brings its state to the disk. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  async #writeAll(): Promise<void> {
    try {
      await this.#write();
      this.#isBehind = false;
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
  }

  async #write(): Promise<void> {
    const bytes = await this.#encode();
    const directory = directoryOf(this.path);
    await this.#makeDirectory(directory);
    const temporary = `${this.path}.tmp`;
    const file = await this.#disk.open(temporary, 'create');
    try {
      await file.truncate(0);
      await file.write(bytes, 0, bytes.length, 0);
      await file.syncData();
    } finally {
      await file.close();
    }
    if (this.#keepPrevious) await this.#keep();
    await this.#disk.rename(temporary, this.path);
    await this.#disk.syncDirectory(directory);
  }

  async #makeDirectory(directory: string): Promise<void> {
    if (this.#directoryMade) return;
    await makeDurableDirectory(this.#disk, directory);
    this.#directoryMade = true;
  }

  /** A crash between this and the next rename leaves the state before under its second name, which readers try. */
  async #keep(): Promise<void> {
    try {
      await this.#disk.rename(this.path, `${this.path}.bak`);
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error;
    }
  }
}

/**
 * The bytes of a state file, or undefined when there is none. A file that is empty, as an unclean stop of a Java broker
 * may leave it, is replaced by its `.bak` (RocketMQ: ConfigManager.load).
 */
export async function readStateFile(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  const bytes = await readWhole(disk, path);
  return bytes === undefined || bytes.length === 0 ? await readWhole(disk, `${path}.bak`) : bytes;
}

async function readWhole(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await disk.open(path, 'read');
    try {
      const bytes = new Uint8Array(await file.sizeBytes());
      const length = await file.read(bytes, 0, bytes.length, 0);
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, Math.max(slash, 1));
}
