import { javaHash, javaHashOn } from '../common/mod.ts';
import type { Clock } from '../io/mod.ts';
import { encodeProperties, PropertyName, SystemTopic, tagsCodeOf } from '../message/mod.ts';
import type { MessageStore, Put, PutResult } from '../store/mod.ts';

/**
 * Puts messages whose properties are a map: those that the broker makes itself, and sends with properties that it acts
 * on. A delay level turns the message into one of the schedule topic, whose entry carries the time of delivery
 * (RocketMQ: HookUtils.transformDelayLevelMessage).
 */
export interface OutgoingMessage {
  topic: string;
  queueId: number;
  flag: number;
  sysFlag: number;
  bornTimestampMs: number;
  bornIp: Uint8Array;
  bornPort: number;
  reconsumeTimes: number;
  /** Read during the call only. */
  body: Uint8Array;
  /** Taken over: the writer adds to it. */
  properties: Map<string, string>;
  waitForDurable: boolean;
  /** Its delay is over: the level stays among the properties, as RocketMQ leaves it, and no longer counts. */
  afterDelay?: boolean;
}

export class MessageWriter {
  readonly #store: Pick<MessageStore, 'put'>;
  readonly #clock: Clock;
  readonly #delayLevelsMs: readonly number[];

  /** `delayLevelsMs`: level n is item n−1. */
  constructor(store: Pick<MessageStore, 'put'>, clock: Clock, delayLevelsMs: readonly number[]) {
    this.#store = store;
    this.#clock = clock;
    this.#delayLevelsMs = delayLevelsMs;
  }

  /** `done` runs as `MessageStore.put` says. */
  write(message: OutgoingMessage, done: (result: PutResult) => void): void {
    const { properties } = message;
    const level = message.afterDelay ? 0 : Math.min(delayLevelOf(properties), this.#delayLevelsMs.length);
    let { topic, queueId } = message;
    let tagsCode = tagsCodeOf(properties.get(PropertyName.TAGS));
    if (level > 0) {
      properties.set(PropertyName.DELAY, String(level));
      properties.set(PropertyName.REAL_TOPIC, topic);
      properties.set(PropertyName.REAL_QID, String(queueId));
      topic = SystemTopic.SCHEDULE;
      queueId = level - 1;
      tagsCode = this.#clock.wallMs() + this.#delayLevelsMs[level - 1];
    }
    const put: Put = {
      topic,
      queueId,
      flag: message.flag,
      sysFlag: message.sysFlag,
      bornTimestampMs: message.bornTimestampMs,
      bornIp: message.bornIp,
      bornPort: message.bornPort,
      reconsumeTimes: message.reconsumeTimes,
      preparedTransactionOffset: 0,
      body: message.body,
      properties: Buffer.from(encodeProperties(properties), 'utf8'),
      tagsCode,
      keyHashes: keyHashesOf(
        topic,
        properties.get(PropertyName.UNIQ_KEY),
        properties.get(PropertyName.KEYS),
        properties.get(PropertyName.TAGS),
      ),
      waitForDurable: message.waitForDurable,
    };
    this.#store.put(put, done);
  }
}

/** 0 without a level; below 0 means "never again" (dead letters). */
export function delayLevelOf(properties: ReadonlyMap<string, string>): number {
  const level = Number(properties.get(PropertyName.DELAY) ?? 0);
  return Number.isInteger(level) ? level : 0;
}

/** What the index finds the message by (RocketMQ: IndexService.buildIndex). */
function keyHashesOf(
  topic: string,
  uniqueKey: string | undefined,
  keys: string | undefined,
  tags: string | undefined,
): number[] {
  const topicHash = javaHash(`${topic}#`);
  const hashes: number[] = [];
  if (uniqueKey !== undefined) hashes.push(javaHashOn(topicHash, uniqueKey));
  if (keys !== undefined) {
    for (const key of keys.split(' ')) if (key !== '') hashes.push(javaHashOn(topicHash, key));
  }
  if (tags !== undefined) hashes.push(javaHashOn(topicHash, `T#${tags}`));
  return hashes;
}
