import { changeConfig, parseProperties, writeProperties } from '../common/mod.ts';
import { type Disk, StateFile } from '../io/mod.ts';
import { ResponseCode, ResponseError } from '../remoting/mod.ts';
import { type NameServerConfig, nameServerConfigRows } from './config.ts';

/**
 * The configuration while it runs. A change counts at once and is written to `configStorePath`: the properties that were
 * given at the start, and those changed since.
 */
export class RuntimeConfig {
  readonly values: NameServerConfig;
  readonly #properties: Map<string, string>;
  readonly #file: StateFile;

  /** `properties` are those that `values` were read from. */
  constructor(disk: Disk, values: NameServerConfig, properties: ReadonlyMap<string, string>) {
    this.values = values;
    this.#properties = new Map(properties);
    this.#file = new StateFile(disk, values.configStorePath, () =>
      new TextEncoder().encode(writeProperties(this.#properties)),
    );
  }

  /** Every key with its value, as properties text, by name. */
  text(): string {
    const entries = nameServerConfigRows.map(({ name }) => [name, String(this.values[name])] as const);
    return writeProperties(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** All of the changes or none. Throws ResponseError that says why not. */
  async change(text: string): Promise<void> {
    const changes = parseProperties(text);
    const closed = ['rocketmqHome', ...this.values.configBlackList.split(';')];
    if (closed.some((name) => changes.has(name))) {
      throw new ResponseError(ResponseCode.NO_PERMISSION, 'Can not update config in black list.');
    }
    const refusals = changeConfig(nameServerConfigRows, this.values, changes);
    if (refusals.length > 0) throw new ResponseError(ResponseCode.NO_PERMISSION, refusals.join('; '));
    for (const [name, value] of changes) this.#properties.set(name, value);
    await this.#file.save();
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#file.settled();
  }
}
