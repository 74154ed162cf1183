import { crc32 } from '../common/mod.ts';
import { type Disk, readStateFile, StateFile } from '../io/mod.ts';

/**
 * Topics that were deleted while the log still holds messages of theirs (`deletions.liftmq`). The log does not tell, so
 * that building queues again from it would bring the topic back, and leave out the messages of a new one of its name,
 * whose offsets begin at 0 again. Records below a topic's offset here belong to no queue.
 *
 *     [["topic",4711],…] <crc>
 */
export class Deletions {
  readonly #file: StateFile;
  readonly #disk: Disk;
  /** The log's end when the topic was deleted. */
  #ends = new Map<string, number>();

  constructor(disk: Disk, root: string) {
    this.#disk = disk;
    this.#file = new StateFile(disk, `${root}/deletions.liftmq`, () => this.#encode(), { keepPrevious: true });
  }

  /** What is damaged in both generations counts as empty: topics come back, no message is lost. */
  async load(): Promise<void> {
    for (const path of [this.#file.path, `${this.#file.path}.bak`]) {
      const ends = decode(await readStateFile(this.#disk, path));
      if (ends === undefined) continue;
      this.#ends = ends;
      return;
    }
  }

  /** Whether a record of the topic at this offset belongs to one that was deleted. */
  covers(topic: string, physicalOffset: number): boolean {
    const end = this.#ends.get(topic);
    return end !== undefined && physicalOffset < end;
  }

  /** Resolves when it is durable. The log is synced up to `end`. Rejects with DiskError: the topic is as it was. */
  async add(topic: string, end: number, minOffset: number): Promise<void> {
    const before = new Map(this.#ends);
    for (const [name, offset] of this.#ends) if (offset <= minOffset) this.#ends.delete(name);
    this.#ends.set(topic, end);
    try {
      await this.#file.save();
    } catch (error) {
      this.#ends = before;
      throw error;
    }
  }

  #encode(): Uint8Array {
    const text = JSON.stringify([...this.#ends]);
    return Buffer.from(`${text} ${crc32(Buffer.from(text, 'utf8'))}\n`, 'utf8');
  }
}

function decode(bytes: Uint8Array | undefined): Map<string, number> | undefined {
  const parts = /^(\[.*\]) ([0-9]+)\n$/.exec(Buffer.from(bytes ?? []).toString('utf8'));
  if (parts === null || crc32(Buffer.from(parts[1], 'utf8')) !== Number(parts[2])) return undefined;
  return new Map(JSON.parse(parts[1]) as [string, number][]);
}
