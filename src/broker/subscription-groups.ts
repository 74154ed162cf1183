import { type JsonObject, type JsonValue, writeLooseJson } from '../common/mod.ts';
import { type Clock, type Disk, type Log, StateFile, type Timers } from '../io/mod.ts';
import { checkGroupName, systemGroupPrefix } from '../message/mod.ts';
import type { Attributes } from './attributes.ts';
import { type DataVersion, firstVersion, readVersion, stepVersion } from './data-version.ts';
import { asObject, fileBytes, readJsonState, unknownMembers, withMembers } from './json-state.ts';
import { SortedNames } from './sorted-names.ts';

/** How one consumer group consumes (RocketMQ: SubscriptionGroupConfig). */
export interface SubscriptionGroup {
  readonly groupName: string;
  readonly consumeEnable: boolean;
  readonly consumeFromMinEnable: boolean;
  readonly consumeBroadcastEnable: boolean;
  readonly consumeMessageOrderly: boolean;
  readonly retryQueueNums: number;
  readonly retryMaxTimes: number;
  /** Kept as it is; the delays of retries come from delay levels. */
  readonly groupRetryPolicy: JsonValue;
  readonly brokerId: number;
  readonly whichBrokerWhenConsumeSlowly: number;
  readonly notifyConsumerIdsChangedEnable: boolean;
  readonly groupSysFlag: number;
  readonly consumeTimeoutMinute: number;
  readonly subscriptionDataSet: JsonValue | undefined;
  readonly attributes: Attributes;
}

/** Groups that a broker keeps; creations beyond it are refused. */
const groupsMax = 200_000;
/** Retry queues of one group. */
export const retryQueueNumsMax = 1024;

/** Groups of Apache's own tools, there from the first start on. */
const systemGroups = [
  'TOOLS_CONSUMER',
  'FILTERSRV_CONSUMER',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  `${systemGroupPrefix}TRANS`,
];

/** Groups that belong to the system or to Apache's tools, and not to users. */
export function isSystemGroup(name: string): boolean {
  return name.startsWith(systemGroupPrefix) || systemGroups.includes(name);
}

/** What decides on automatic creation; read at each use, since it may change at run time. */
export interface GroupRules {
  readonly autoCreateSubscriptionGroup: boolean;
  readonly enableCreateSysGroup: boolean;
}

interface Row {
  readonly group: SubscriptionGroup;
  readonly json: string;
}

/** The broker's consumer groups (`config/subscriptionGroup.json`). */
export class SubscriptionGroups {
  readonly version: DataVersion;
  readonly #rules: GroupRules;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #file: StateFile;
  readonly #groups = new Map<string, Row>();
  /** Members of the file, and of rows by name, that this version does not know. */
  #unknown = '';
  readonly #unknownInRows = new Map<string, string>();
  readonly #names = new SortedNames();
  /** Group → topic → bits of what is forbidden. */
  readonly #forbidden = new Map<string, Map<string, number>>();

  private constructor(rules: GroupRules, ports: { disk: Disk; clock: Clock; timers: Timers; log: Log }, path: string) {
    this.#rules = rules;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.version = firstVersion(ports.clock);
    this.#file = new StateFile(
      ports.disk,
      path,
      () =>
        fileBytes(
          {
            dataVersion: writeLooseJson(this.version),
            forbiddenTable: writeLooseJson(this.#forbidden),
            subscriptionGroupTable: [...this.#rows()],
          },
          this.#unknown,
          ports.timers,
        ),
      { keepPrevious: true },
    );
  }

  static async open(
    rules: GroupRules,
    ports: { disk: Disk; clock: Clock; timers: Timers; log: Log },
    path: string,
  ): Promise<SubscriptionGroups> {
    const groups = new SubscriptionGroups(rules, ports, path);
    for (const name of systemGroups) groups.#put(defaultGroup(name));
    const json = await readJsonState(ports.disk, path);
    for (const [name, row] of Object.entries(asObject(json?.subscriptionGroupTable) ?? {})) {
      const group = readGroup(name, asObject(row) ?? {});
      const unknown = unknownMembers(asObject(row), Object.keys(group));
      if (unknown !== '') groups.#unknownInRows.set(name, unknown);
      groups.#put(group);
    }
    groups.#unknown = unknownMembers(json, ['dataVersion', 'forbiddenTable', 'subscriptionGroupTable']);
    for (const [name, bits] of Object.entries(asObject(json?.forbiddenTable) ?? {})) {
      const byTopic = new Map<string, number>();
      for (const [topic, value] of Object.entries(asObject(bits) ?? {})) {
        if (typeof value === 'number') byTopic.set(topic, value);
      }
      groups.#forbidden.set(name, byTopic);
    }
    Object.assign(groups.version, readVersion(json?.dataVersion));
    return groups;
  }

  has(name: string): boolean {
    return this.#groups.has(name);
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Names with their JSON texts, in order of the names. */
  sortedRows(from = 0, to = this.size): (readonly [name: string, json: string])[] {
    return this.#names.slice(from, to).map((name) => [name, this.#jsonOf(name)]);
  }

  /** The group; created with defaults at its first use, where that is allowed (RocketMQ: findSubscriptionGroupConfig). */
  findOrCreate(name: string): SubscriptionGroup | undefined {
    const row = this.#groups.get(name);
    if (row !== undefined) return row.group;
    const allowed =
      this.#rules.autoCreateSubscriptionGroup ||
      (this.#rules.enableCreateSysGroup && name.startsWith(systemGroupPrefix));
    if (!allowed || checkGroupName(name) !== undefined) return undefined;
    if (this.#groups.size >= groupsMax) {
      this.#log.warn('broker.group-refused', { group: name }, `this broker has ${groupsMax} groups, its limit`);
      return undefined;
    }
    const group = defaultGroup(name);
    this.#log.info('broker.group-created', { group: name }, `created consumer group ${name}`);
    this.#put(group);
    this.#saveSoon();
    return group;
  }

  /** Whether a topic is closed to the group's push consumers. */
  isReadForbidden(group: string, topic: string): boolean {
    const bits = this.#forbidden.get(group)?.get(topic) ?? 0;
    return (bits & forbiddenRead) !== 0;
  }

  /** The JSON text of the forbidden table, of some groups only. */
  forbiddenJson(names: ReadonlySet<string>): string {
    return writeLooseJson(new Map([...this.#forbidden].filter(([name]) => names.has(name))));
  }

  /** Creates or replaces; resolves when it is on disk. Gives a sentence when there is no room. */
  async put(group: SubscriptionGroup): Promise<string | undefined> {
    if (!this.#groups.has(group.groupName) && this.#groups.size >= groupsMax) {
      return `this broker has ${groupsMax} groups, its limit: delete some`;
    }
    this.#put(group);
    stepVersion(this.version, this.#clock);
    await this.#file.save();
    return undefined;
  }

  /** Resolves when it is gone from disk. */
  async delete(name: string): Promise<void> {
    this.#forbidden.delete(name);
    if (!this.#groups.delete(name)) return;
    this.#names.delete(name);
    this.#unknownInRows.delete(name);
    this.#log.info('broker.group-deleted', { group: name }, `deleted consumer group ${name}`);
    stepVersion(this.version, this.#clock);
    await this.#file.save();
  }

  /** Writes the file as things are. */
  async save(): Promise<void> {
    await this.#file.save();
  }

  /** Tries again when the last write failed, which was reported: for every now and then. */
  async saveAgain(): Promise<void> {
    if (this.#file.isBehind) await this.#file.save().catch(() => {});
  }

  attributesOf(name: string): Attributes | undefined {
    return this.#groups.get(name)?.group.attributes;
  }

  *#rows(): Iterable<readonly [name: string, json: string]> {
    for (const name of this.#groups.keys()) yield [name, this.#jsonOf(name)];
  }

  #jsonOf(name: string): string {
    return withMembers(this.#groups.get(name)?.json ?? '', this.#unknownInRows.get(name));
  }

  #put(group: SubscriptionGroup): void {
    if (!this.#groups.has(group.groupName)) this.#names.add(group.groupName);
    this.#groups.set(group.groupName, { group, json: writeLooseJson(group) });
  }

  #saveSoon(): void {
    stepVersion(this.version, this.#clock);
    this.#file.save().catch((cause) => {
      this.#log.error('broker.groups-not-saved', { cause }, `cannot write ${this.#file.path}: kept in memory`);
    });
  }
}

/** RocketMQ: PermName.INDEX_PERM_READ, the bit's index. */
const forbiddenRead = 1 << 2;

function defaultGroup(groupName: string): SubscriptionGroup {
  return readGroup(groupName, Object.create(null));
}

/** What stands in files and requests; absent members get Java's defaults. Attributes are not judged here. */
export function readGroup(groupName: string, json: JsonObject): SubscriptionGroup {
  const number = (value: JsonValue | undefined, byDefault: number) =>
    typeof value === 'number' && value === (value | 0) ? value : byDefault;
  const truth = (value: JsonValue | undefined, byDefault: boolean) => (typeof value === 'boolean' ? value : byDefault);
  const attributes: Record<string, string> = {};
  for (const [key, value] of Object.entries(asObject(json.attributes) ?? {})) attributes[key] = String(value);
  return {
    groupName,
    consumeEnable: truth(json.consumeEnable, true),
    consumeFromMinEnable: truth(json.consumeFromMinEnable, true),
    consumeBroadcastEnable: truth(json.consumeBroadcastEnable, true),
    consumeMessageOrderly: truth(json.consumeMessageOrderly, false),
    retryQueueNums: number(json.retryQueueNums, 1),
    retryMaxTimes: number(json.retryMaxTimes, 16),
    groupRetryPolicy: json.groupRetryPolicy ?? { type: 'CUSTOMIZED' },
    brokerId: number(json.brokerId, 0),
    whichBrokerWhenConsumeSlowly: number(json.whichBrokerWhenConsumeSlowly, 1),
    notifyConsumerIdsChangedEnable: truth(json.notifyConsumerIdsChangedEnable, true),
    groupSysFlag: number(json.groupSysFlag, 0),
    consumeTimeoutMinute: number(json.consumeTimeoutMinute, 15),
    subscriptionDataSet: json.subscriptionDataSet ?? undefined,
    attributes,
  };
}
