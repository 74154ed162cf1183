import { assert } from '../common/mod.ts';

/**
 * All queues as rows of typed arrays: a queue is an index, so that a million of them cost a few hundred bytes each and
 * no objects. Offsets count messages (units of 20 bytes in the queue's files).
 *
 *     minUnit      first that may be read
 *     fileUnits    up to here units are in the queue's files
 *     visible      up to here consumers may read
 *     nextUnit     the next message's offset
 */
const rowsAtFirst = 1024;

/** The queues of one topic. */
export interface TopicQueues {
  readonly name: string;
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** Queue index by queue id. */
  readonly queues: Map<number, number>;
}

export class QueueTable {
  readonly #topics = new Map<string, TopicQueues>();
  /** The topic that was asked for last: messages of one topic come in a row. */
  #last: TopicQueues | undefined;
  readonly #topicOf: (TopicQueues | undefined)[] = [];
  readonly #free: number[] = [];
  #capacity = rowsAtFirst;
  #count = 0;
  queueIds = new Int32Array(rowsAtFirst);
  minUnit = new Float64Array(rowsAtFirst);
  fileUnits = new Float64Array(rowsAtFirst);
  visible = new Float64Array(rowsAtFirst);
  nextUnit = new Float64Array(rowsAtFirst);
  /** The newest page of entries in memory, -1 when none (queue-pages.ts). */
  tailPage = new Int32Array(rowsAtFirst);
  /** 1 when the queue is in the list of those with entries to write (queue-writer.ts). */
  dirty = new Uint8Array(rowsAtFirst);

  get count(): number {
    return this.#count - this.#free.length;
  }

  topic(name: string): TopicQueues | undefined {
    if (name === this.#last?.name) return this.#last;
    const topic = this.#topics.get(name);
    if (topic !== undefined) this.#last = topic;
    return topic;
  }

  get topicNames(): string[] {
    return [...this.#topics.keys()];
  }

  /** -1 when there is no such queue. */
  find(topic: string, queueId: number): number {
    return this.topic(topic)?.queues.get(queueId) ?? -1;
  }

  findOrAdd(topic: string, queueId: number): number {
    let row = this.topic(topic);
    if (row === undefined) {
      row = { name: topic, bytes: Buffer.from(topic, 'utf8'), queues: new Map() };
      this.#topics.set(topic, row);
    }
    const known = row.queues.get(queueId);
    if (known !== undefined) return known;
    const queue = this.#free.pop() ?? this.#count++;
    if (queue === this.#capacity) this.#grow();
    row.queues.set(queueId, queue);
    this.#topicOf[queue] = row;
    this.queueIds[queue] = queueId;
    this.minUnit[queue] = 0;
    this.fileUnits[queue] = 0;
    this.visible[queue] = 0;
    this.nextUnit[queue] = 0;
    this.tailPage[queue] = -1;
    this.dirty[queue] = 0;
    return queue;
  }

  topicOf(queue: number): TopicQueues {
    const topic = this.#topicOf[queue];
    assert(topic !== undefined, 'a queue index belongs to a queue');
    return topic;
  }

  /** False once the topic was removed. */
  has(queue: number): boolean {
    return this.#topicOf[queue] !== undefined;
  }

  /** Every queue's index. */
  *queues(): Generator<number> {
    for (const topic of this.#topics.values()) yield* topic.queues.values();
  }

  /** The rows may be given to other queues: the caller has dropped their pages. */
  removeTopic(topic: TopicQueues): void {
    this.#topics.delete(topic.name);
    this.#last = undefined;
    for (const queue of topic.queues.values()) {
      this.#topicOf[queue] = undefined;
      this.#free.push(queue);
    }
  }

  #grow(): void {
    this.#capacity *= 2;
    this.queueIds = grown(this.queueIds, new Int32Array(this.#capacity));
    this.minUnit = grown(this.minUnit, new Float64Array(this.#capacity));
    this.fileUnits = grown(this.fileUnits, new Float64Array(this.#capacity));
    this.visible = grown(this.visible, new Float64Array(this.#capacity));
    this.nextUnit = grown(this.nextUnit, new Float64Array(this.#capacity));
    this.tailPage = grown(this.tailPage, new Int32Array(this.#capacity));
    this.dirty = grown(this.dirty, new Uint8Array(this.#capacity));
  }
}

function grown<T extends Int32Array | Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
