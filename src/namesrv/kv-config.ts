import { parseLooseJson, writeLooseJson } from '../common/mod.ts';
import { type Disk, readStateFile, StateFile } from '../io/mod.ts';
import { ResponseCode, ResponseError } from '../remoting/mod.ts';
import { memberOf, membersOf } from './json-reading.ts';
import { limits } from './limits.ts';

/**
 * Small configuration that clients and brokers share, namespace → key → value: the one thing that a name server keeps on
 * disk, as `kvConfig.json`:
 *
 *     {"configTable":{"ORDER_TOPIC_CONFIG":{"topic":"broker-a:4;broker-b:4"}}}
 *
 * A change is answered when it is durable. A namespace stays when its last key has gone, as in RocketMQ.
 */
export class KvConfig {
  readonly #table = new Map<string, Map<string, string>>();
  readonly #file: StateFile;
  #size = 0;

  private constructor(disk: Disk, path: string) {
    this.#file = new StateFile(disk, path, () =>
      new TextEncoder().encode(writeLooseJson({ configTable: this.#table }, { pretty: true })),
    );
  }

  /** Throws an error that names the file when it is there and cannot be read: to go on would overwrite it. */
  static async open(disk: Disk, path: string): Promise<KvConfig> {
    const config = new KvConfig(disk, path);
    const bytes = await readStateFile(disk, path);
    if (bytes === undefined || bytes.length === 0) return config;
    try {
      const json = parseLooseJson(new TextDecoder().decode(bytes));
      for (const [namespace, pairs] of membersOf(memberOf(json, 'configTable'))) {
        const table = config.#namespace(namespace);
        for (const [key, value] of membersOf(pairs)) if (typeof value === 'string') config.#set(table, key, value);
      }
    } catch (cause) {
      throw new Error(`${path} is not a KV configuration: repair it, or move it away to begin with an empty one`, {
        cause,
      });
    }
    return config;
  }

  get(namespace: string, key: string): string | undefined {
    return this.#table.get(namespace)?.get(key);
  }

  /** Undefined for a namespace that never had a key. */
  list(namespace: string): ReadonlyMap<string, string> | undefined {
    return this.#table.get(namespace);
  }

  /** Throws ResponseError when the table is full; rejects with DiskError when the file could not be written. */
  async put(namespace: string, key: string, value: string): Promise<void> {
    if (this.#size + key.length + value.length > limits.kvConfigSizeMax) {
      throw new ResponseError(
        ResponseCode.SYSTEM_BUSY,
        `the KV configuration has its maximum of ${limits.kvConfigSizeMax} characters`,
      );
    }
    this.#set(this.#namespace(namespace), key, value);
    await this.#file.save();
  }

  async delete(namespace: string, key: string): Promise<void> {
    const table = this.#table.get(namespace);
    const value = table?.get(key);
    if (value !== undefined) {
      table?.delete(key);
      this.#size -= key.length + value.length;
    }
    await this.#file.save();
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#file.settled();
  }

  #namespace(namespace: string): Map<string, string> {
    let table = this.#table.get(namespace);
    if (table === undefined) {
      table = new Map();
      this.#table.set(namespace, table);
      this.#size += namespace.length;
    }
    return table;
  }

  #set(table: Map<string, string>, key: string, value: string): void {
    const previous = table.get(key);
    this.#size += value.length - (previous === undefined ? -key.length : previous.length);
    table.set(key, value);
  }
}
