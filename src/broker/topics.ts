import { type JsonObject, type JsonValue, writeLooseJson } from '../common/mod.ts';
import { type Clock, type Disk, type Log, StateFile } from '../io/mod.ts';
import {
  checkTopicName,
  isStorableTopicName,
  isSystemTopic,
  Perm,
  SystemTopic,
  systemTopicPrefix,
  topicsClosedToSend,
} from '../message/mod.ts';
import { ResponseCode } from '../remoting/mod.ts';
import type { Attributes } from './attributes.ts';
import { type DataVersion, firstVersion, readVersion, stepVersion } from './data-version.ts';
import { asObject, fileBytes, readJsonState, tableText } from './json-state.ts';
import { byKey } from './pages.ts';

/** One topic as files, registrations and administrators see it. */
export interface TopicConfig {
  readonly topicName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  readonly perm: number;
  readonly topicFilterType: 'SINGLE_TAG' | 'MULTI_TAG';
  readonly topicSysFlag: number;
  readonly order: boolean;
  readonly attributes: Attributes;
}

/** A topic with what sends and pulls need of it, worked out once. A change makes a new one; the counters go along. */
export interface Topic extends TopicConfig {
  /** Its JSON text, in files and registrations. */
  readonly json: string;
  /** max(read, write): what a send may address. */
  readonly queueNums: number;
  /** Why clients may not send to it. */
  readonly sendRefusal: { readonly code: number; readonly remark: string } | undefined;
  /** A compacted topic keeps the newest message of each key, so that each needs one. */
  readonly needsKeys: boolean;
  readonly counters: TopicCounters;
}

export interface TopicCounters {
  messagesIn: number;
  bytesIn: number;
  messagesOut: number;
  bytesOut: number;
}

/** Topics that a broker keeps; creations beyond it are refused. */
const topicsMax = 500_000;
/** Queues of one topic; more are refused. */
export const queueNumsMax = 65_536;

export interface TopicRules {
  readonly clusterName: string;
  readonly brokerName: string;
  readonly autoCreate: boolean;
  readonly defaultQueueNums: number;
  readonly clusterTopicEnable: boolean;
  readonly brokerTopicEnable: boolean;
  /** Undefined: no trace topic. */
  readonly traceTopic: string | undefined;
  readonly reviveQueueNums: number;
}

/** The broker's topics (`config/topics.json`). */
export class Topics {
  readonly version: DataVersion;
  readonly #rules: TopicRules;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #file: StateFile;
  readonly #queueRefusal: (queueNums: number) => string | undefined;
  readonly #system = new Set<string>();
  readonly #topics = new Map<string, Topic>();
  /** Until something changes. */
  #sorted: (readonly [string, string])[] | undefined;
  #changed: (topics: readonly Topic[]) => void = () => {};

  private constructor(
    rules: TopicRules,
    ports: { disk: Disk; clock: Clock; log: Log },
    path: string,
    queueRefusal: (queueNums: number) => string | undefined,
  ) {
    this.#rules = rules;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#queueRefusal = queueRefusal;
    this.version = firstVersion(ports.clock);
    this.#file = new StateFile(
      ports.disk,
      path,
      () =>
        fileBytes({
          dataVersion: writeLooseJson(this.version),
          topicConfigTable: tableText(this.sortedRows()),
        }),
      { keepPrevious: true },
    );
  }

  /**
   * The system topics, overlaid by what the file holds, as in Apache. `queueRefusal` says why no more queues can be
   * had, if that is so.
   */
  static async open(
    rules: TopicRules,
    ports: { disk: Disk; clock: Clock; log: Log },
    path: string,
    queueRefusal: (queueNums: number) => string | undefined,
  ): Promise<Topics> {
    const topics = new Topics(rules, ports, path, queueRefusal);
    for (const config of systemTopics(rules)) {
      topics.#system.add(config.topicName);
      topics.#put(config);
    }
    const json = await readJsonState(ports.disk, path);
    for (const [name, row] of Object.entries(asObject(json?.topicConfigTable) ?? {})) {
      const config = readTopicConfig(name, asObject(row) ?? {});
      if (!isStorableTopicName(name)) throw new Error(`${path}: ${JSON.stringify(name)} cannot be a topic's name`);
      topics.#put(config);
    }
    Object.assign(topics.version, readVersion(json?.dataVersion));
    return topics;
  }

  /** Called with the topics that were created or changed. */
  onChange(changed: (topics: readonly Topic[]) => void): void {
    this.#changed = changed;
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  get size(): number {
    return this.#topics.size;
  }

  all(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  /** Names with their JSON texts, in order of the names. */
  sortedRows(): readonly (readonly [name: string, json: string])[] {
    this.#sorted ??= [...this.#topics.values()].map(({ topicName, json }) => [topicName, json] as const).sort(byKey);
    return this.#sorted;
  }

  /** Of all brokers, and this one's own: those named after the broker and its cluster. */
  isSystem(name: string): boolean {
    return this.#system.has(name) || isSystemTopic(name);
  }

  /**
   * Creates a topic on its first send, by the template that the client names: it must be inheritable, and gives perm and
   * the limit of queues (RocketMQ: createTopicInSendMessageMethod). Gives a sentence when it cannot be.
   */
  createBySend(name: string, templateName: string, queueNums: number, topicSysFlag: number): Topic | string {
    const template = this.#topics.get(templateName);
    if (template === undefined || (templateName === SystemTopic.AUTO_CREATE && !this.#rules.autoCreate)) {
      return this.#rules.autoCreate
        ? `the template topic ${templateName} does not exist`
        : 'autoCreateTopicEnable is off';
    }
    if ((template.perm & Perm.INHERIT) === 0) return `the template topic ${templateName} cannot be inherited from`;
    const count = Math.max(0, Math.min(queueNums, template.writeQueueNums));
    return this.create({
      ...plainTopic(name, count),
      perm: template.perm & ~Perm.INHERIT,
      topicFilterType: template.topicFilterType,
      topicSysFlag,
    });
  }

  /** The retry or dead-letter topic of a group, created when absent (RocketMQ: createTopicInSendMessageBackMethod). */
  createForGroup(name: string, queueNums: number, order = false, topicSysFlag = 0): Topic | string {
    const existing = this.#topics.get(name);
    if (existing === undefined) return this.create({ ...plainTopic(name, queueNums), order, topicSysFlag });
    if (existing.order === order) return existing;
    return this.#change([{ ...configOf(existing), order }])[0];
  }

  /** Creates a topic that does not exist yet. Gives a sentence when there is no room for it. */
  create(config: TopicConfig): Topic | string {
    const refusal = this.roomRefusal(config.topicName, Math.max(config.readQueueNums, config.writeQueueNums));
    if (refusal !== undefined) {
      this.#log.warn('broker.topic-refused', { topic: config.topicName }, refusal);
      return refusal;
    }
    this.#log.info('broker.topic-created', { ...config }, `created topic ${config.topicName}`);
    return this.#change([config])[0];
  }

  /** Why a topic cannot have so many queues; undefined when it can. */
  roomRefusal(name: string, queueNums: number): string | undefined {
    const existing = this.#topics.get(name);
    if (existing === undefined && this.#topics.size >= topicsMax) {
      return `this broker has ${topicsMax} topics, its limit: delete some, or add a broker`;
    }
    if (queueNums > queueNumsMax) return `${queueNums} queues: the limit of a topic is ${queueNumsMax}`;
    const added = queueNums - (existing?.queueNums ?? 0);
    return added > 0 ? this.#queueRefusal(added) : undefined;
  }

  /** Creates or replaces; resolves when it is on disk. */
  async put(config: TopicConfig): Promise<void> {
    this.#change([config]);
    await this.#file.save();
  }

  /** Topics that the name server lists as ordered become so here (RocketMQ: updateOrderTopicConfig). */
  markOrdered(names: Iterable<string>): void {
    const changes: TopicConfig[] = [];
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (topic !== undefined && !topic.order) changes.push({ ...configOf(topic), order: true });
    }
    if (changes.length > 0) this.#change(changes);
  }

  /** Resolves when it is gone from disk. The name servers are told by whoever deletes. */
  async delete(name: string): Promise<void> {
    if (!this.#topics.delete(name)) return;
    this.#sorted = undefined;
    this.#log.info('broker.topic-deleted', { topic: name }, `deleted topic ${name}`);
    stepVersion(this.version, this.#clock);
    await this.#file.save();
  }

  /** Writes the file as things are. */
  async save(): Promise<void> {
    await this.#file.save();
  }

  #change(configs: readonly TopicConfig[]): Topic[] {
    const changed = configs.map((config) => this.#put(config));
    stepVersion(this.version, this.#clock);
    this.#file.save().catch((cause) => {
      this.#log.error('broker.topics-not-saved', { cause }, `cannot write ${this.#file.path}: kept in memory`);
    });
    this.#changed(changed);
    return changed;
  }

  #put(config: TopicConfig): Topic {
    const previous = this.#topics.get(config.topicName);
    const topic: Topic = {
      ...config,
      json: writeLooseJson(config),
      queueNums: Math.max(config.readQueueNums, config.writeQueueNums),
      sendRefusal: sendRefusalOf(config),
      needsKeys: config.attributes['cleanup.policy'] === 'COMPACTION',
      counters: previous?.counters ?? { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 },
    };
    this.#topics.set(config.topicName, topic);
    this.#sorted = undefined;
    return topic;
  }
}

export function plainTopic(name: string, queueNums: number): TopicConfig {
  return {
    topicName: name,
    readQueueNums: queueNums,
    writeQueueNums: queueNums,
    perm: Perm.READ | Perm.WRITE,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: {},
  };
}

/** Without what `Topic` adds. */
export function configOf(topic: Topic): TopicConfig {
  const { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes } = topic;
  return { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes };
}

/** What stands in the file of any broker since 4.0; absent members get Java's defaults. */
function readTopicConfig(name: string, row: JsonObject): TopicConfig {
  const number = (value: JsonValue | undefined, byDefault: number) => (typeof value === 'number' ? value : byDefault);
  const attributes: Record<string, string> = {};
  for (const [key, value] of Object.entries(asObject(row.attributes) ?? {})) attributes[key] = String(value);
  return {
    topicName: name,
    readQueueNums: number(row.readQueueNums, 16),
    writeQueueNums: number(row.writeQueueNums, 16),
    perm: number(row.perm, Perm.READ | Perm.WRITE),
    topicFilterType: row.topicFilterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    topicSysFlag: number(row.topicSysFlag, 0),
    order: row.order === true,
    attributes,
  };
}

/** In Apache's order: the name, then topics that only the broker writes. */
function sendRefusalOf(config: TopicConfig): Topic['sendRefusal'] {
  const name = config.topicName;
  const problem = checkTopicName(name);
  if (problem !== undefined) return { code: ResponseCode.INVALID_PARAMETER, remark: problem };
  if (topicsClosedToSend.has(name)) {
    return { code: ResponseCode.NO_PERMISSION, remark: `Sending message to topic[${name}] is forbidden.` };
  }
  if (config.attributes['queue.type'] === 'BatchCQ') {
    return {
      code: ResponseCode.SYSTEM_ERROR,
      remark: `topic[${name}] has queue.type=BatchCQ, which this version does not write: use a topic with SimpleCQ`,
    };
  }
  return undefined;
}

/** What a broker has from the first start on (RocketMQ: TopicConfigManager.init). */
function systemTopics(rules: TopicRules): TopicConfig[] {
  const { clusterName, brokerName } = rules;
  const readWrite = Perm.READ | Perm.WRITE;
  const topics = [
    plainTopic(SystemTopic.SELF_TEST, 1),
    plainTopic(SystemTopic.BENCHMARK, 1024),
    { ...plainTopic(clusterName, 16), perm: Perm.INHERIT | (rules.clusterTopicEnable ? readWrite : 0) },
    { ...plainTopic(brokerName, 1), perm: Perm.INHERIT | (rules.brokerTopicEnable ? readWrite : 0) },
    plainTopic(SystemTopic.OFFSET_MOVED_EVENT, 1),
    plainTopic(SystemTopic.SCHEDULE, 18),
    plainTopic(`${clusterName}_REPLY_TOPIC`, 1),
    plainTopic(`${systemTopicPrefix}REVIVE_LOG_${clusterName}`, rules.reviveQueueNums),
    { ...plainTopic(`${systemTopicPrefix}SYNC_BROKER_MEMBER_${brokerName}`, 1), perm: Perm.INHERIT },
    plainTopic(SystemTopic.TRANS_HALF, 1),
    plainTopic(SystemTopic.TRANS_OP_HALF, 1),
    plainTopic(SystemTopic.ROCKSDB_TRANS_HALF, 1),
    plainTopic(SystemTopic.ROCKSDB_TRANS_OP_HALF, 1),
    plainTopic(SystemTopic.TIMER, 1),
  ];
  if (rules.autoCreate) {
    const template = plainTopic(SystemTopic.AUTO_CREATE, rules.defaultQueueNums);
    topics.push({ ...template, perm: Perm.INHERIT | readWrite });
  }
  if (rules.traceTopic !== undefined) topics.push(plainTopic(rules.traceTopic, 1));
  return topics;
}
