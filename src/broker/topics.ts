import { writeLooseJson } from '../common/mod.ts';
import { type Clock, type Disk, type Log, StateFile, type Timers } from '../io/mod.ts';
import { isStorableTopicName, isSystemTopic, Perm, SystemTopic } from '../message/mod.ts';
import { type DataVersion, firstVersion, readVersion, stepVersion } from './data-version.ts';
import { asObject, fileBytes, readJsonState, unknownMembers, withMembers } from './json-state.ts';
import { SortedNames } from './sorted-names.ts';
import {
  configOf,
  plainTopic,
  queueNumsMax,
  readTopicConfig,
  systemTopics,
  type Topic,
  type TopicConfig,
  type TopicRules,
  topicOf,
} from './topic.ts';

/** Topics that a broker keeps; creations beyond it are refused. */
const topicsMax = 500_000;

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
  /** Members of the file, and of rows by name, that this version does not know. */
  #unknown = '';
  readonly #unknownInRows = new Map<string, string>();
  readonly #names = new SortedNames();
  #changed: (topics: readonly Topic[]) => void = () => {};

  private constructor(
    rules: TopicRules,
    ports: { disk: Disk; clock: Clock; timers: Timers; log: Log },
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
        fileBytes(
          {
            dataVersion: writeLooseJson(this.version),
            topicConfigTable: [...this.#rows()],
          },
          this.#unknown,
          ports.timers,
        ),
      { keepPrevious: true },
    );
  }

  /**
   * The system topics, overlaid by what the file holds, as in Apache. `queueRefusal` says why no more queues can be
   * had, if that is so.
   */
  static async open(
    rules: TopicRules,
    ports: { disk: Disk; clock: Clock; timers: Timers; log: Log },
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
      const unknown = unknownMembers(asObject(row), Object.keys(config));
      if (unknown !== '') topics.#unknownInRows.set(name, unknown);
      if (!isStorableTopicName(name)) throw new Error(`${path}: ${JSON.stringify(name)} cannot be a topic's name`);
      topics.#put(config);
    }
    topics.#unknown = unknownMembers(json, ['dataVersion', 'topicConfigTable']);
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
  sortedRows(from = 0, to = this.size): (readonly [name: string, json: string])[] {
    return this.#names.slice(from, to).map((name) => [name, this.#jsonOf(name)]);
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
    this.#names.delete(name);
    this.#unknownInRows.delete(name);
    this.#log.info('broker.topic-deleted', { topic: name }, `deleted topic ${name}`);
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

  #change(configs: readonly TopicConfig[]): Topic[] {
    const changed = configs.map((config) => this.#put(config));
    stepVersion(this.version, this.#clock);
    this.#file.save().catch((cause) => {
      this.#log.error('broker.topics-not-saved', { cause }, `cannot write ${this.#file.path}: kept in memory`);
    });
    this.#changed(changed);
    return changed;
  }

  /** In order of creation. */
  *#rows(): Iterable<readonly [name: string, json: string]> {
    for (const name of this.#topics.keys()) yield [name, this.#jsonOf(name)];
  }

  #jsonOf(name: string): string {
    return withMembers(this.#topics.get(name)?.json ?? '', this.#unknownInRows.get(name));
  }

  #put(config: TopicConfig): Topic {
    const known = this.#topics.get(config.topicName);
    if (known === undefined) this.#names.add(config.topicName);
    const topic = topicOf(config, known?.counters);
    this.#topics.set(config.topicName, topic);
    return topic;
  }
}
