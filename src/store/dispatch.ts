import {
  decodeProperties,
  PropertyName,
  type StoredMessage,
  SysFlag,
  SystemTopic,
  tagsCodeOf,
} from '../message/mod.ts';
import { indexKeyHash } from './index-file.ts';

/** What queues and index hold of a record: a function of the record alone, so that both can be built from the log. */
export interface Dispatch {
  /** False for half messages that carry transaction bits: they are in no queue. */
  hasUnit: boolean;
  tagsCode: number;
  keyHashes: number[];
  /** Light queues that the record is in as well: each a topic with one queue. */
  lightQueues: { topic: string; queueOffset: number }[];
}

/** RocketMQ: CommitLog.checkMessageAndReturnSize and IndexService.buildIndex. */
export function dispatchOf(record: StoredMessage, delayLevelsMs: readonly number[]): Dispatch {
  const properties = decodeProperties(record.properties);
  const tags = properties.get(PropertyName.TAGS);
  const level = Number(properties.get(PropertyName.DELAY));
  const delayMs = record.topic === SystemTopic.SCHEDULE ? delayOf(level, delayLevelsMs) : undefined;
  return {
    hasUnit: hasQueueUnit(record.sysFlag),
    tagsCode: delayMs === undefined ? tagsCodeOf(tags) : record.storeTimestampMs + delayMs,
    keyHashes: hasIndexKeys(record.sysFlag) ? keysOf(record.topic, properties, tags).map(indexKeyHash) : [],
    lightQueues: lightQueuesOf(properties),
  };
}

/** RocketMQ: ConsumeQueue.multiDispatchLmqQueue. We write no such records, but a Java broker's log may have them. */
function lightQueuesOf(properties: ReadonlyMap<string, string>): Dispatch['lightQueues'] {
  const topics = properties.get(PropertyName.INNER_MULTI_DISPATCH)?.split(',') ?? [];
  const offsets = properties.get(PropertyName.INNER_MULTI_QUEUE_OFFSET)?.split(',') ?? [];
  if (topics.length !== offsets.length) return [];
  return topics
    .map((topic, index) => ({ topic, queueOffset: Number(offsets[index]) }))
    .filter(({ topic, queueOffset }) => topic.startsWith(lightQueuePrefix) && Number.isSafeInteger(queueOffset));
}

export const lightQueuePrefix = '%LMQ%';

/** Units of the schedule topic hold the deliver time: the store's stamp and this. Undefined when not delayed. */
export function delayOf(level: number, delayLevelsMs: readonly number[]): number | undefined {
  if (!(level > 0) || delayLevelsMs.length === 0) return undefined;
  return delayLevelsMs[Math.min(level, delayLevelsMs.length) - 1];
}

export function hasQueueUnit(sysFlag: number): boolean {
  const transaction = sysFlag & SysFlag.TRANSACTION_MASK;
  return transaction === 0 || transaction === SysFlag.TRANSACTION_COMMIT;
}

export function hasIndexKeys(sysFlag: number): boolean {
  return (sysFlag & SysFlag.TRANSACTION_MASK) !== SysFlag.TRANSACTION_ROLLBACK;
}

function keysOf(topic: string, properties: ReadonlyMap<string, string>, tags: string | undefined): string[] {
  const keys: string[] = [];
  const unique = properties.get(PropertyName.UNIQ_KEY);
  if (unique !== undefined) keys.push(`${topic}#${unique}`);
  for (const key of (properties.get(PropertyName.KEYS) ?? '').split(' ')) if (key !== '') keys.push(`${topic}#${key}`);
  if (tags !== undefined) keys.push(`${topic}#T#${tags}`);
  return keys;
}
