import { crc32, isSafeI64, readI64, writeI64 } from '../common/mod.ts';
import { type Disk, readStateFile, StateFile } from '../io/mod.ts';
import type { LogFiles } from './log-files.ts';

/**
 * Two checkpoints. Apache's, for a Java broker that opens the directory after us: 4096 bytes,
 *
 *      0  i64  store timestamp up to which the log is synced
 *      8  i64  … the queues are
 *     16  i64  … the index is
 *     24  i64  flushed offset of the master; 32 i64 confirmed offset; 40 i64 queues' offset; zeros
 *
 * and our own beside it (`checkpoint.liftmq`), which says to the byte how far the log, the queues and the index are on
 * disk, and is bound to the log by the last record below that offset: when a Java broker wrote in between, or a file
 * was lost, the two disagree, and it is not used.
 */
const apacheSize = 4096;
/** Of the record that binds the checkpoint to the log. */
const boundBytesMax = 512;

export interface Checkpoint {
  /** Everything below is in the files and synced. */
  offset: number;
  /** Sum over all queues of the units that records below `offset` made: a lost queue file shows here. */
  units: number;
  lastOffset: number;
  lastSize: number;
  lastTimestampMs: number;
}

export class Checkpoints {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #files: LogFiles;
  readonly #own: StateFile;
  #text = '';

  constructor(disk: Disk, root: string, files: LogFiles) {
    this.#disk = disk;
    this.#root = root;
    this.#files = files;
    this.#own = new StateFile(disk, `${root}/checkpoint.liftmq`, () => Buffer.from(this.#text, 'utf8'));
  }

  /** Our own, when it is whole and agrees with the log. */
  async readOwn(): Promise<Checkpoint | undefined> {
    const bytes = await readStateFile(this.#disk, this.#own.path);
    if (bytes === undefined) return undefined;
    const parts = /^(\{.*\}) ([0-9]+) ([0-9]+)\n$/.exec(Buffer.from(bytes).toString('utf8'));
    if (parts === null || crc32(Buffer.from(parts[1], 'utf8')) !== Number(parts[3])) return undefined;
    const checkpoint = JSON.parse(parts[1]) as Checkpoint;
    const bound = await this.#bind(checkpoint);
    return bound === Number(parts[2]) ? checkpoint : undefined;
  }

  async write(checkpoint: Checkpoint): Promise<void> {
    const text = JSON.stringify(checkpoint);
    this.#text = `${text} ${await this.#bind(checkpoint)} ${crc32(Buffer.from(text, 'utf8'))}\n`;
    await this.#own.save();
    await this.#writeApache(checkpoint.lastTimestampMs);
  }

  /** CRC of the last record's beginning; 0 without one. */
  async #bind({ lastOffset, lastSize }: Checkpoint): Promise<number> {
    if (lastSize === 0) return 0;
    if (!this.#files.has(lastOffset)) return -1;
    const bytes = new Uint8Array(Math.min(lastSize, boundBytesMax));
    const file = await this.#files.file(lastOffset);
    const got = await file.read(bytes, 0, bytes.length, lastOffset % this.#files.segmentSize);
    return crc32(bytes.subarray(0, got));
  }

  async #writeApache(timestampMs: number): Promise<void> {
    const bytes = new Uint8Array(24);
    writeI64(bytes, 0, timestampMs);
    writeI64(bytes, 8, timestampMs);
    writeI64(bytes, 16, timestampMs);
    const file = await this.#disk.open(`${this.#root}/checkpoint`, 'create');
    try {
      if ((await file.sizeBytes()) !== apacheSize) await file.truncate(apacheSize);
      await file.write(bytes, 0, bytes.length, 0);
      await file.syncData();
    } finally {
      await file.close();
    }
  }

  /** Apache's: the store timestamp up to which everything is on disk; 0 when the file is absent or torn. */
  async readApache(): Promise<number> {
    const bytes = await readStateFile(this.#disk, `${this.#root}/checkpoint`);
    if (bytes === undefined || bytes.length < 24) return 0;
    const word = (at: number) => (isSafeI64(bytes, at) ? readI64(bytes, at) : 0);
    return Math.max(0, Math.min(word(0), word(8)) - 3000);
  }
}
