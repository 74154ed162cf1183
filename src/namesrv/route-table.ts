import { Perm } from '../message/mod.ts';

/** A topic's queues on one broker group, as clients get them. */
export interface QueueData {
  readonly brokerName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  readonly perm: number;
  readonly topicSysFlag: number;
}

/** Static topics: which physical queue of broker `bname` stands for which logical one. */
export interface QueueMapping {
  readonly topic: string;
  readonly scope: string | undefined;
  readonly totalQueues: number;
  readonly bname: string;
  readonly epoch: number;
  readonly dirty: boolean;
  /** Logical queue id → physical queue id. */
  readonly currIdMap: ReadonlyMap<number, number>;
}

/**
 * Which topics have queues where: topic → broker name → queues, indexed by broker name too, so that a broker that
 * leaves costs its own topics and not all of them.
 */
export class RouteTable {
  readonly #queues = new Map<string, Map<string, QueueData>>();
  readonly #topicsOf = new Map<string, Set<string>>();
  readonly #mappings = new Map<string, Map<string, QueueMapping>>();
  #rowCount = 0;

  /** Rows: one for each topic and broker name. */
  get rowCount(): number {
    return this.#rowCount;
  }

  get topicCount(): number {
    return this.#queues.size;
  }

  topics(): IterableIterator<string> {
    return this.#queues.keys();
  }

  /** Undefined for an unknown topic. */
  queuesOf(topic: string): ReadonlyMap<string, QueueData> | undefined {
    return this.#queues.get(topic);
  }

  topicsOf(brokerName: string): ReadonlySet<string> {
    return this.#topicsOf.get(brokerName) ?? new Set();
  }

  mappingsOf(topic: string): ReadonlyMap<string, QueueMapping> | undefined {
    return this.#mappings.get(topic);
  }

  put(topic: string, data: QueueData): void {
    const queues = childOf(this.#queues, topic);
    if (!queues.has(data.brokerName)) {
      this.#rowCount++;
      const topics = this.#topicsOf.get(data.brokerName);
      if (topics === undefined) this.#topicsOf.set(data.brokerName, new Set([topic]));
      else topics.add(topic);
    }
    queues.set(data.brokerName, data);
  }

  putMapping(mapping: QueueMapping): void {
    childOf(this.#mappings, mapping.topic).set(mapping.bname, mapping);
  }

  remove(topic: string, brokerName: string): void {
    const queues = this.#queues.get(topic);
    if (queues === undefined || !queues.delete(brokerName)) return;
    this.#rowCount--;
    if (queues.size === 0) {
      this.#queues.delete(topic);
      this.#mappings.delete(topic);
    }
    const topics = this.#topicsOf.get(brokerName);
    topics?.delete(topic);
    if (topics?.size === 0) this.#topicsOf.delete(brokerName);
  }

  removeTopic(topic: string): void {
    for (const brokerName of [...(this.#queues.get(topic)?.keys() ?? [])]) this.remove(topic, brokerName);
  }

  removeBroker(brokerName: string): void {
    for (const topic of [...this.topicsOf(brokerName)]) this.remove(topic, brokerName);
  }

  /** All of a broker's topics become read-only; gives their number. */
  wipeWritePermission(brokerName: string): number {
    return this.#changePermission(brokerName, (perm) => perm & ~Perm.WRITE);
  }

  /** All of a broker's topics become readable and writable, whatever they were; gives their number. */
  addWritePermission(brokerName: string): number {
    return this.#changePermission(brokerName, () => Perm.READ | Perm.WRITE);
  }

  #changePermission(brokerName: string, change: (perm: number) => number): number {
    const topics = this.topicsOf(brokerName);
    for (const topic of topics) {
      const queues = this.#queues.get(topic);
      const data = queues?.get(brokerName);
      if (data !== undefined) queues?.set(brokerName, { ...data, perm: change(data.perm) });
    }
    return topics.size;
  }
}

function childOf<Value>(table: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let child = table.get(key);
  if (child === undefined) {
    child = new Map();
    table.set(key, child);
  }
  return child;
}
