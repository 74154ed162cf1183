import { inflateSync, zstdDecompressSync } from 'node:zlib';
import {
  checkRecord,
  decodeProperties,
  decodeRecord,
  isRetryTopic,
  offsetMessageId,
  PropertyName,
  type StoredMessage,
  SysFlag,
} from '../message/mod.ts';
import { ClientError } from './client-error.ts';
import type { MessageQueue } from './message-queue.ts';

/** A message as consumers get it. */
export interface ReceivedMessage {
  /** Where it was sent to; for a redelivery the original topic, not the retry topic. */
  topic: string;
  /** Where it was read from. */
  queue: MessageQueue;
  queueOffset: number;
  /** The sender's unique key; of a sender without one, the broker's id. */
  messageId: string;
  offsetMessageId: string;
  body: Uint8Array;
  /** Why `body` is still as it was stored: compressed in a way that cannot be undone here. */
  bodyProblem: string | undefined;
  tag: string | undefined;
  keys: readonly string[];
  properties: ReadonlyMap<string, string>;
  flag: number;
  /** How often its consumption failed before. */
  reconsumeTimes: number;
  bornTimestampMs: number;
  storeTimestampMs: number;
  /** In the log of the broker that it was read from. */
  physicalOffset: number;
  /** Of the whole record. */
  sizeBytes: number;
}

/** What one body may inflate to. */
const inflatedSizeMax = 16 * 1024 * 1024;

/** The messages of a pull response. Throws ClientError 'invalid' when the bytes are no records. */
export function decodeMessages(bytes: Uint8Array, queue: MessageQueue): ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const check = checkRecord(bytes, at, bytes.length - at, { checkCrc: true });
    if (check.kind !== 'record') {
      const why = check.kind === 'bad' || check.kind === 'end' ? check.why : check.kind;
      throw new ClientError('invalid', `record ${messages.length} of a pull from ${queue.brokerName}: ${why}`);
    }
    messages.push(received(decodeRecord(bytes, at), queue));
    at += check.sizeBytes;
  }
  return messages;
}

function received(record: StoredMessage, queue: MessageQueue): ReceivedMessage {
  const properties = decodeProperties(record.properties);
  const offsetId = offsetMessageId(record.storeIp, record.storePort, record.physicalOffset);
  const original = isRetryTopic(record.topic) ? properties.get(PropertyName.RETRY_TOPIC) : undefined;
  return {
    topic: original ?? record.topic,
    queue,
    queueOffset: record.queueOffset,
    messageId: properties.get(PropertyName.UNIQ_KEY) ?? offsetId,
    offsetMessageId: offsetId,
    ...bodyOf(record),
    tag: properties.get(PropertyName.TAGS),
    keys: properties.get(PropertyName.KEYS)?.split(' ') ?? [],
    properties,
    flag: record.flag,
    reconsumeTimes: record.reconsumeTimes,
    bornTimestampMs: record.bornTimestampMs,
    storeTimestampMs: record.storeTimestampMs,
    physicalOffset: record.physicalOffset,
    sizeBytes: record.sizeBytes,
  };
}

/** One message that cannot be inflated must not hold up its queue: it is delivered as it was stored, and says so. */
function bodyOf(record: StoredMessage): { body: Uint8Array; bodyProblem: string | undefined } {
  const { body, sysFlag } = record;
  if ((sysFlag & SysFlag.COMPRESSED) === 0) return { body, bodyProblem: undefined };
  const type = sysFlag & SysFlag.COMPRESSION_TYPE_MASK;
  const options = { maxOutputLength: inflatedSizeMax };
  try {
    if (type === SysFlag.COMPRESSION_ZLIB || type === SysFlag.COMPRESSION_ZLIB_OLD) {
      return { body: inflateSync(body, options), bodyProblem: undefined };
    }
    if (type === SysFlag.COMPRESSION_ZSTD) return { body: zstdDecompressSync(body, options), bodyProblem: undefined };
  } catch (error) {
    return { body, bodyProblem: `the body does not inflate: ${String(error)}` };
  }
  return { body, bodyProblem: `the body is compressed in a way that is not supported (type ${type >> 8})` };
}
