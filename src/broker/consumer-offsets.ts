import { assert, type JsonValue, writeLooseJson } from '../common/mod.ts';
import { type Clock, type Disk, type Log, StateFile, type Timers } from '../io/mod.ts';
import { type DataVersion, firstVersion, readVersion, stepVersion } from './data-version.ts';
import { asObject, fileBytes, readJsonState, unknownMembers } from './json-state.ts';

/**
 * How far each group has consumed each queue (`config/consumerOffset.json`):
 *
 *     {"dataVersion":…, "groupTopicMap":{"G":["T"]}, "offsetTable":{"T@G":{0:12,1:9}}, "pullOffsetTable":{same shape}}
 *
 * Kept in memory and written every few seconds when something changed; losing the newest costs a redelivery only.
 */

/** One group's offsets in one topic, by queue. */
interface Progress {
  readonly topic: string;
  readonly group: string;
  /** Consumed, as clients commit it. */
  readonly committed: Map<number, number>;
  /** Handed out: the last pull's next offset. */
  readonly pulled: Map<number, number>;
  /** JSON texts of the two, until they change. */
  committedJson: string | undefined;
  pulledJson: string | undefined;
}

/** Pairs of group and topic that a broker keeps; commits beyond it are refused. */
const progressMax = 1_000_000;

export class ConsumerOffsets {
  readonly version: DataVersion;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #file: StateFile;
  readonly #versionStep: number;
  /** Group → topic → progress. */
  readonly #groups = new Map<string, Map<string, Progress>>();
  #size = 0;
  #changes = 0;
  #dirty = false;
  /** Members of the file that this version does not know. */
  #unknown = '';

  private constructor(
    versionStep: number,
    ports: { disk: Disk; clock: Clock; timers: Timers; log: Log },
    path: string,
  ) {
    this.#versionStep = versionStep;
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#log = ports.log;
    this.version = firstVersion(ports.clock);
    this.#file = new StateFile(ports.disk, path, () => this.#encode(), { keepPrevious: true });
  }

  /** `versionStep`: commits until the data version is raised (RocketMQ: consumerOffsetUpdateVersionStep). */
  static async open(
    versionStep: number,
    ports: { disk: Disk; clock: Clock; timers: Timers; log: Log },
    path: string,
  ): Promise<ConsumerOffsets> {
    const offsets = new ConsumerOffsets(versionStep, ports, path);
    const json = await readJsonState(ports.disk, path);
    offsets.#read(json?.offsetTable, 'committed');
    offsets.#read(json?.pullOffsetTable, 'pulled');
    offsets.#unknown = unknownMembers(json, ['dataVersion', 'groupTopicMap', 'offsetTable', 'pullOffsetTable']);
    Object.assign(offsets.version, readVersion(json?.dataVersion));
    return offsets;
  }

  #read(table: JsonValue | undefined, kind: 'committed' | 'pulled'): void {
    for (const [key, queues] of Object.entries(asObject(table) ?? {})) {
      const at = key.indexOf('@');
      if (at <= 0) continue;
      const progress = this.#findOrCreate(key.slice(at + 1), key.slice(0, at));
      if (progress === undefined) throw new Error(`${this.#file.path} has more than ${progressMax} rows`);
      for (const [queueId, offset] of Object.entries(asObject(queues) ?? {})) {
        if (typeof offset === 'number') progress[kind].set(Number(queueId), offset);
      }
    }
  }

  /** The committed offset, -1 when there is none. */
  committed(group: string, topic: string, queueId: number): number {
    return this.#find(group, topic)?.committed.get(queueId) ?? -1;
  }

  /** What was handed out, at least what was committed; -1 when there is neither. */
  pulled(group: string, topic: string, queueId: number): number {
    const progress = this.#find(group, topic);
    return progress?.pulled.get(queueId) ?? progress?.committed.get(queueId) ?? -1;
  }

  /** False when there is no room for another pair of group and topic. Going back is allowed: clients reset so. */
  commit(group: string, topic: string, queueId: number, offset: number): boolean {
    const progress = this.#findOrCreate(group, topic);
    if (progress === undefined) return false;
    if (progress.committed.get(queueId) === offset) return true;
    progress.committed.set(queueId, offset);
    progress.committedJson = undefined;
    this.#dirty = true;
    if (++this.#changes % this.#versionStep === 0) stepVersion(this.version, this.#clock);
    return true;
  }

  /** Not kept where there is no room: it only informs administrators. */
  notePulled(group: string, topic: string, queueId: number, nextOffset: number): void {
    const progress = this.#findOrCreate(group, topic);
    if (progress === undefined || progress.pulled.get(queueId) === nextOffset) return;
    progress.pulled.set(queueId, nextOffset);
    progress.pulledJson = undefined;
    this.#dirty = true;
  }

  topicsOf(group: string): string[] {
    const topics: string[] = [];
    for (const progress of this.#groups.get(group)?.values() ?? []) {
      if (progress.committed.size > 0) topics.push(progress.topic);
    }
    return topics;
  }

  /** Groups that committed an offset in the topic. */
  groupsOf(topic: string): string[] {
    const groups: string[] = [];
    for (const [group, topics] of this.#groups) {
      if ((topics.get(topic)?.committed.size ?? 0) > 0) groups.push(group);
    }
    return groups;
  }

  forgetGroup(group: string): void {
    const topics = this.#groups.get(group);
    if (topics === undefined) return;
    this.#groups.delete(group);
    this.#size -= topics.size;
    this.#dirty = true;
  }

  forgetTopic(topic: string): void {
    for (const topics of this.#groups.values()) {
      if (!topics.delete(topic)) continue;
      this.#size--;
      this.#dirty = true;
    }
  }

  /**
   * Offsets beyond what the queues hold go back to their ends: after a crash the log's tail may be cut, and new messages
   * take the offsets again that consumers had passed.
   */
  clamp(maxOffset: (topic: string, queueId: number) => number): void {
    for (const progress of this.#all()) {
      for (const [queueId, offset] of progress.pulled) {
        progress.pulled.set(queueId, Math.min(offset, maxOffset(progress.topic, queueId)));
      }
      for (const [queueId, offset] of progress.committed) {
        const max = maxOffset(progress.topic, queueId);
        if (offset <= max) continue;
        progress.committed.set(queueId, max);
        progress.committedJson = undefined;
        this.#dirty = true;
        const { group, topic } = progress;
        this.#log.warn(
          'broker.offset-clamped',
          { group, topic, queueId, offset, max },
          `group ${group} had consumed ${topic}-${queueId} up to ${offset}, beyond its end ${max}: set back`,
        );
      }
    }
  }

  /** Writes the file when something changed since the last time. Resolves when all that was there before is on disk. */
  async save(): Promise<void> {
    await this.#file.settled();
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#file.save();
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  #find(group: string, topic: string): Progress | undefined {
    return this.#groups.get(group)?.get(topic);
  }

  #findOrCreate(group: string, topic: string): Progress | undefined {
    let topics = this.#groups.get(group);
    const existing = topics?.get(topic);
    if (existing !== undefined) return existing;
    if (this.#size >= progressMax) return undefined;
    if (topics === undefined) {
      topics = new Map();
      this.#groups.set(group, topics);
    }
    const progress: Progress = {
      topic,
      group,
      committed: new Map(),
      pulled: new Map(),
      committedJson: undefined,
      pulledJson: undefined,
    };
    topics.set(topic, progress);
    this.#size++;
    return progress;
  }

  *#all(): Iterable<Progress> {
    for (const topics of this.#groups.values()) yield* topics.values();
  }

  #encode(): Promise<Uint8Array> {
    const all = [...this.#all()];
    return fileBytes(
      {
        dataVersion: writeLooseJson(this.version),
        groupTopicMap: topicsByGroup([...this.#groups.keys()], this),
        offsetTable: committedRows(all),
        pullOffsetTable: pulledRows(all),
      },
      this.#unknown,
      this.#timers,
    );
  }
}

function* topicsByGroup(
  groups: readonly string[],
  offsets: Pick<ConsumerOffsets, 'topicsOf'>,
): Iterable<[string, string]> {
  for (const group of groups) {
    const topics = offsets.topicsOf(group);
    if (topics.length > 0) yield [group, writeLooseJson(topics)];
  }
}

function* committedRows(all: readonly Progress[]): Iterable<[string, string]> {
  for (const progress of all) {
    if (progress.committed.size === 0) continue;
    progress.committedJson ??= writeLooseJson(progress.committed);
    yield [keyOf(progress), progress.committedJson];
  }
}

function* pulledRows(all: readonly Progress[]): Iterable<[string, string]> {
  for (const progress of all) {
    if (progress.pulled.size === 0) continue;
    progress.pulledJson ??= writeLooseJson(progress.pulled);
    yield [keyOf(progress), progress.pulledJson];
  }
}

function keyOf({ topic, group }: Progress): string {
  assert(!topic.includes('@'), 'a topic name has no @');
  return `${topic}@${group}`;
}
