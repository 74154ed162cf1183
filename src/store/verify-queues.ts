import { LruMap } from '../common/mod.ts';
import type { Disk } from '../io/mod.ts';
import type { StoredMessage } from '../message/mod.ts';
import { QueueFiles, readUnit, unitSize } from './consume-queue.ts';
import type { Dispatch } from './dispatch.ts';

/** Compares the consume queues with the log: every record must be where its queue says, and nothing else there. */
export type QueueFault = { topic: string; queueId: number; queueOffset: number; physicalOffset: number; why: string };

export type QueueVerdict =
  | { kind: 'right' }
  /** Not in its queue's file, as it may be with a record behind the checkpoint. */
  | { kind: 'missing' }
  /** The queue has a later record there; rightly so when the topic was deleted and made again. */
  | { kind: 'later'; physicalOffset: number }
  | { kind: 'wrong'; why: string };

/** Units read at once. */
const chunkUnits = 256;
/** 20 MB. */
const chunksMax = 4096;
const openFilesMax = 256;

export class QueueCheck {
  readonly #files: QueueFiles;
  /** By topic, queue and first unit. */
  readonly #chunks = new LruMap<string, Uint8Array>(chunksMax);
  /** The next offset by queue. */
  readonly #next = new Map<string, number>();

  private constructor(files: QueueFiles) {
    this.#files = files;
  }

  /** Undefined when there are no queue files. */
  static async open(disk: Disk, directory: string): Promise<QueueCheck | undefined> {
    const probe = new QueueFiles(disk, directory, { fileSize: unitSize, openMax: 1 });
    for (const { topic, queueIds } of await probe.list()) {
      for (const queueId of queueIds) {
        const [file] = await disk.list(probe.directoryOf(topic, queueId));
        if (file === undefined) continue;
        const { sizeBytes } = await disk.stat(`${probe.directoryOf(topic, queueId)}/${file.name}`);
        if (sizeBytes === 0) continue;
        return new QueueCheck(new QueueFiles(disk, directory, { fileSize: sizeBytes, openMax: openFilesMax }));
      }
    }
    return undefined;
  }

  /** The offset that the record's queue went on at; undefined for the first record of a queue. */
  expectedOffset({ topic, queueId, queueOffset }: StoredMessage): number | undefined {
    const queue = `${topic}/${queueId}`;
    const expected = this.#next.get(queue);
    this.#next.set(queue, queueOffset + 1);
    return expected;
  }

  async judge(record: StoredMessage, { tagsCode }: Dispatch): Promise<QueueVerdict> {
    const { topic, queueId, queueOffset, physicalOffset, sizeBytes } = record;
    const start = queueOffset - (queueOffset % chunkUnits);
    const key = `${topic}/${queueId}/${start}`;
    let bytes = this.#chunks.get(key);
    if (bytes === undefined) {
      bytes = await this.#read(topic, queueId, start);
      this.#chunks.set(key, bytes);
    }
    const at = (queueOffset - start) * unitSize;
    const unit = at + unitSize <= bytes.length ? readUnit(bytes, at) : undefined;
    if (unit === undefined) return { kind: 'missing' };
    if (unit.physicalOffset > physicalOffset) return { kind: 'later', physicalOffset: unit.physicalOffset };
    if (unit.physicalOffset !== physicalOffset || unit.sizeBytes !== sizeBytes) {
      return { kind: 'wrong', why: `the queue says ${unit.physicalOffset}+${unit.sizeBytes}` };
    }
    if (unit.tagsCode !== tagsCode)
      return { kind: 'wrong', why: `the queue's tags code is ${unit.tagsCode}, not ${tagsCode}` };
    return { kind: 'right' };
  }

  /** Units `[start, start + chunkUnits)`, zeros where a file is missing. */
  async #read(topic: string, queueId: number, start: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(chunkUnits * unitSize);
    for (let done = 0; done < chunkUnits; ) {
      const { unitsPerFile } = this.#files;
      const unit = start + done;
      const count = Math.min(chunkUnits - done, unitsPerFile - (unit % unitsPerFile));
      bytes.set(await this.#files.read(topic, queueId, unit, count), done * unitSize);
      done += count;
    }
    return bytes;
  }

  /** Entries behind the newest record of each queue: of records that the log does not have. */
  async surplus(): Promise<QueueFault[]> {
    const faults: QueueFault[] = [];
    for (const { topic, queueIds } of await this.#files.list()) {
      for (const queueId of queueIds) {
        const queueOffset = this.#next.get(`${topic}/${queueId}`) ?? 0;
        const bytes = await this.#files.read(topic, queueId, queueOffset, 1);
        const unit = bytes.length < unitSize ? undefined : readUnit(bytes, 0);
        if (unit === undefined) continue;
        const why = 'the queue knows a record that the log does not have';
        faults.push({ topic, queueId, queueOffset, physicalOffset: unit.physicalOffset, why });
      }
    }
    return faults;
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}
