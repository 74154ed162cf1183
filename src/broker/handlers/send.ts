/**
 * Sends: one message (10, 310) or a batch of one queue (320). The hot path of the broker: properties stay bytes, the
 * topic's row is looked up by an interned name, and nothing waits until the store calls back.
 */
import type { Clock, Random } from '../../io/mod.ts';
import {
  BatchError,
  type BatchMessage,
  decodeBatch,
  decodeProperties,
  dlqTopicOf,
  isRetryTopic,
  limits,
  type OffsetMessageIds,
  PropertyName,
  retryTopicOf,
  SysFlag,
} from '../../message/mod.ts';
import {
  type Call,
  type HandlersOf,
  type HeaderView,
  ResponseCode,
  ResponseError,
  slotsOf,
} from '../../remoting/mod.ts';
import type { MessageStore, Put } from '../../store/mod.ts';
import type { BrokerCounters } from '../counters.ts';
import { delayLevelOf, type MessageWriter } from '../message-writer.ts';
import type { QueueLocks } from '../queue-locks.ts';
import { SendProperties } from '../send-properties.ts';
import type { SubscriptionGroups } from '../subscription-groups.ts';
import type { Topic } from '../topic.ts';
import type { Topics } from '../topics.ts';
import { SendAnswers } from './send-answer.ts';
import { createTopicToSend, type SendCommand, type SendSlots } from './send-topic.ts';

export interface SendParts {
  readonly store: Pick<MessageStore, 'put' | 'putBatch'>;
  readonly writer: MessageWriter;
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly locks: QueueLocks;
  readonly counters: BrokerCounters;
  readonly uniqueKeys: { next(): string };
  readonly messageIds: OffsetMessageIds;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: {
    readonly brokerClusterName: string;
    readonly brokerPermission: number;
    readonly regionId: string;
    readonly traceOn: boolean;
    readonly startAcceptSendRequestTimeStamp: number;
  };
}

/** Version code of 3.4.9, from which on clients may limit retries themselves. */
export const versionWithMaxReconsumeTimes = 121;

export function sendHandlers(parts: SendParts): HandlersOf<'broker', SendCommand> {
  const { store, writer, topics, groups, locks, counters, uniqueKeys, messageIds, clock, random, config } = parts;
  const topicToSend = createTopicToSend(topics, config);
  const answers = new SendAnswers(counters, messageIds, {
    MSG_REGION: config.regionId,
    TRACE_ON: String(config.traceOn),
  });
  const added: readonly (readonly [string, string])[] = [
    [PropertyName.MSG_REGION, config.regionId],
    [PropertyName.TRACE_ON, String(config.traceOn)],
    [PropertyName.CLUSTER, config.brokerClusterName],
  ];
  const suffix = Buffer.from(added.map(([name, value]) => `${name}\u0001${value}\u0002`).join(''), 'utf8');
  const sorted = new SendProperties();
  /** The properties that are stored: the client's, then ours. */
  const scratch = Buffer.alloc(limits.propertiesSizeMax + 1024 + suffix.length);
  const nothing = Buffer.alloc(0);
  /** Read by the store during the call only, so that one serves all sends. */
  const put: Put = {
    topic: '',
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestampMs: 0,
    bornIp: nothing,
    bornPort: 0,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: nothing,
    properties: nothing,
    tagsCode: 0,
    keyHashes: [],
    waitForDurable: true,
  };

  function receive(slots: SendSlots, header: HeaderView, body: Uint8Array, call: Call<SendCommand>): undefined {
    const acceptFromMs = config.startAcceptSendRequestTimeStamp;
    if (acceptFromMs > 0 && clock.wallMs() < acceptFromMs) {
      throw new ResponseError(
        ResponseCode.SYSTEM_ERROR,
        `broker unable to service, until ${acceptFromMs} ms since 1970`,
      );
    }
    const topic = topicToSend(slots, header);
    let queueId = header.i32(slots.queueId);
    if (queueId >= topic.queueNums) {
      throw new ResponseError(
        ResponseCode.INVALID_PARAMETER,
        `request queueId[${queueId}] is illegal: topic ${topic.topicName} has ${topic.queueNums} queues`,
      );
    }
    if (queueId < 0) queueId = topic.writeQueueNums > 0 ? random.below(topic.writeQueueNums) : 0;
    if (body.length === 0) {
      throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'the message has no body: send at least one byte');
    }
    const isBatch = call.name === 'sendBatchMessage' || header.bool(slots.batch);
    if (isBatch) return sendBatch(slots, header, body, call, topic, queueId);
    if (isRetryTopic(topic.topicName)) return sendRetry(slots, header, body, call, topic, queueId);
    return sendOne(slots, header, body, call, topic, queueId);
  }

  /** Header, body and client of a put; the caller adds topic, queue and properties. */
  function begin(slots: SendSlots, header: HeaderView, body: Uint8Array, call: Call<SendCommand>, topic: Topic): void {
    const sysFlag = header.i32(slots.sysFlag);
    if ((sysFlag & SysFlag.TRANSACTION_MASK) !== 0) throw transactional();
    if ((sysFlag & (SysFlag.INNER_BATCH | SysFlag.NEED_UNWRAP)) !== 0) {
      throw new ResponseError(
        ResponseCode.MESSAGE_ILLEGAL,
        `the message is an inner batch, but topic ${topic.topicName} is not of queue.type=BatchCQ`,
      );
    }
    put.topic = topic.topicName;
    put.flag = header.i32(slots.flag);
    put.sysFlag = topic.topicFilterType === 'MULTI_TAG' ? sysFlag | SysFlag.MULTI_TAGS : sysFlag;
    put.bornTimestampMs = header.i64(slots.bornTimestamp);
    put.bornIp = call.peer.ip;
    put.bornPort = call.peer.port;
    put.reconsumeTimes = header.has(slots.reconsumeTimes) ? header.i32(slots.reconsumeTimes) : 0;
    put.body = body;
  }

  function sendOne(
    slots: SendSlots,
    header: HeaderView,
    body: Uint8Array,
    call: Call<SendCommand>,
    topic: Topic,
    queueId: number,
  ): undefined {
    begin(slots, header, body, call, topic);
    let length = header.copy(slots.properties, scratch, 0);
    checkPropertiesSize(length);
    sorted.scan(scratch, length);
    if (topic.needsKeys && !sorted.hasKeys) {
      throw new ResponseError(ResponseCode.MESSAGE_ILLEGAL, 'Required message key is missing: the topic is compacted');
    }
    if (sorted.special)
      return sendMapped(call, topic, topic, queueId, mapped(decodeProperties(scratch.subarray(0, length))));
    let uniqueKey = sorted.uniqueKey;
    if (length > 0 && scratch[length - 1] !== 2) scratch[length++] = 2;
    if (uniqueKey === undefined) {
      uniqueKey = uniqueKeys.next();
      length += scratch.write(`${PropertyName.UNIQ_KEY}\u0001${uniqueKey}\u0002`, length, 'latin1');
      sorted.scan(scratch, length);
    }
    scratch.set(suffix, length);
    length += suffix.length;
    put.queueId = queueId;
    put.properties = scratch.subarray(0, length);
    put.tagsCode = sorted.tagsCode;
    put.keyHashes = sorted.keyHashes(topic.topicName);
    put.waitForDurable = sorted.waits;
    const transactionId = uniqueKey;
    store.put(put, (result) => answers.one(call, topic, queueId, transactionId, result));
    return undefined;
  }

  /**
   * A consumer that could not send a message back puts it into its retry topic itself. Too many tries, or a group that
   * consumes in order just now, make a dead letter of it (RocketMQ: handleRetryAndDLQ).
   */
  function sendRetry(
    slots: SendSlots,
    header: HeaderView,
    body: Uint8Array,
    call: Call<SendCommand>,
    topic: Topic,
    queueId: number,
  ): undefined {
    begin(slots, header, body, call, topic);
    const group = topic.topicName.slice(retryTopicOf('').length);
    const subscriptionGroup = groups.findOrCreate(group);
    if (subscriptionGroup === undefined) {
      throw new ResponseError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group not exist, ${group}`);
    }
    const ownLimit = call.version >= versionWithMaxReconsumeTimes && header.has(slots.maxReconsumeTimes);
    const retryMax = ownLimit ? header.i32(slots.maxReconsumeTimes) : subscriptionGroup.retryMaxTimes;
    const length = header.copy(slots.properties, scratch, 0);
    checkPropertiesSize(length);
    const properties = mapped(decodeProperties(scratch.subarray(0, length)));
    if (put.reconsumeTimes <= retryMax && !locks.anyLive(group)) {
      return sendMapped(call, topic, topic, queueId, properties);
    }
    const dlq = topics.createForGroup(dlqTopicOf(group), 1);
    if (typeof dlq === 'string') throw new ResponseError(ResponseCode.SYSTEM_ERROR, dlq);
    counters.deadLettersTotal++;
    properties.set(PropertyName.DELAY, '-1');
    return sendMapped(call, topic, dlq, 0, properties, queueId);
  }

  /** With the broker's own properties in place of what a client may have copied. */
  function mapped(properties: Map<string, string>): Map<string, string> {
    properties.delete(PropertyName.POP_CK);
    for (const [name, value] of added) properties.set(name, value);
    return properties;
  }

  /** A message with properties that the broker acts on. `answerQueueId` is what the client is told. */
  function sendMapped(
    call: Call<SendCommand>,
    counted: Topic,
    topic: Topic,
    queueId: number,
    properties: Map<string, string>,
    answerQueueId = queueId,
  ): undefined {
    const delayLevel = delayLevelOf(properties);
    const halfOfOldClient = put.reconsumeTimes > 0 && delayLevel > 0;
    if (properties.get(PropertyName.TRAN_MSG)?.toLowerCase() === 'true' && !halfOfOldClient) throw transactional();
    if (properties.has('INNER_NUM')) {
      throw new ResponseError(ResponseCode.MESSAGE_ILLEGAL, 'INNER_NUM belongs to inner batches, and this is none');
    }
    for (const name of [PropertyName.TIMER_DELIVER_MS, PropertyName.TIMER_DELAY_SEC, PropertyName.TIMER_DELAY_MS]) {
      if (!properties.has(name)) continue;
      // A delay level is stronger (RocketMQ: HookUtils.checkIfTimerMessage).
      if (delayLevel > 0) properties.delete(name);
      else {
        throw new ResponseError(
          ResponseCode.SYSTEM_ERROR,
          `accurate timer messages (${name}) are not served by this version: use one of the delay levels (DELAY)`,
        );
      }
    }
    let uniqueKey = properties.get(PropertyName.UNIQ_KEY);
    if (uniqueKey === undefined) {
      uniqueKey = uniqueKeys.next();
      properties.set(PropertyName.UNIQ_KEY, uniqueKey);
    }
    const transactionId = uniqueKey;
    const { flag, sysFlag, bornTimestampMs, bornIp, bornPort, reconsumeTimes, body } = put;
    writer.write(
      {
        topic: topic.topicName,
        queueId,
        flag,
        sysFlag,
        bornTimestampMs,
        bornIp,
        bornPort,
        reconsumeTimes,
        body,
        properties,
        waitForDurable: properties.get(PropertyName.WAIT)?.toLowerCase() !== 'false',
      },
      (result) => answers.one(call, counted, answerQueueId, transactionId, result),
    );
    return undefined;
  }

  /** Each message becomes a record of its own; the batch's properties are not stored (remoting.md 6.5). */
  function sendBatch(
    slots: SendSlots,
    header: HeaderView,
    body: Uint8Array,
    call: Call<SendCommand>,
    topic: Topic,
    queueId: number,
  ): undefined {
    const name = topic.topicName;
    if (isRetryTopic(name)) {
      throw new ResponseError(ResponseCode.MESSAGE_ILLEGAL, `batch request does not support retry group ${name}`);
    }
    if (name.length > limits.topicLengthMax) {
      throw new ResponseError(ResponseCode.MESSAGE_ILLEGAL, `message topic length too long ${name.length}`);
    }
    begin(slots, header, body, call, topic);
    const puts = decode(body).map((message) => batchPut(message, name, queueId));
    store.putBatch(puts, (results) => answers.batch(call, topic, queueId, results));
    return undefined;
  }

  function batchPut(message: BatchMessage, topic: string, queueId: number): Put {
    const { properties } = message;
    const bytes = Buffer.from(properties.buffer, properties.byteOffset, properties.length);
    sorted.scan(bytes, bytes.length);
    return {
      ...put,
      queueId,
      flag: message.flag,
      body: message.body,
      properties,
      tagsCode: sorted.tagsCode,
      keyHashes: sorted.keyHashes(topic),
      waitForDurable: true,
    };
  }

  const slots = slotsOf('sendMessage');
  const slotsV2 = slotsOf('sendMessageV2');
  const slotsBatch = slotsOf('sendBatchMessage');
  const receiveWith = (slotsOfRow: SendSlots) => (header: HeaderView, body: Uint8Array, call: Call<SendCommand>) => {
    try {
      return receive(slotsOfRow, header, body, call);
    } catch (error) {
      if (error instanceof ResponseError) return answers.refusal(error);
      throw error;
    }
  };
  return {
    sendMessage: receiveWith(slots),
    sendMessageV2: receiveWith(slotsV2),
    sendBatchMessage: receiveWith(slotsBatch),
  };
}

function checkPropertiesSize(length: number): void {
  if (length <= limits.propertiesSizeMax) return;
  throw new ResponseError(
    ResponseCode.MESSAGE_ILLEGAL,
    `the message is illegal: its properties have ${length} bytes, the limit is ${limits.propertiesSizeMax}`,
  );
}

/** In the order of the body. Throws for what cannot be taken apart. */
function decode(body: Uint8Array): BatchMessage[] {
  try {
    return decodeBatch(body);
  } catch (error) {
    if (error instanceof BatchError) throw new ResponseError(ResponseCode.MESSAGE_ILLEGAL, error.message, error);
    throw error;
  }
}

function transactional(): ResponseError {
  return new ResponseError(
    ResponseCode.NO_PERMISSION,
    'transactional messages are not served by this version: send it as a normal message',
  );
}
