/**
 * A consumer returns a message that it could not consume (36): it comes again after a delay through the group's retry
 * topic, or becomes a dead letter after too many tries (RocketMQ: AbstractSendMessageProcessor.consumerSendMsgBack).
 */
import type { Random } from '../../io/mod.ts';
import {
  decodeProperties,
  decodeRecord,
  dlqTopicOf,
  type OffsetMessageIds,
  Perm,
  PropertyName,
  retryTopicOf,
  TopicSysFlag,
} from '../../message/mod.ts';
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { MessageStore, PutResult } from '../../store/mod.ts';
import type { BrokerCounters } from '../counters.ts';
import type { MessageWriter } from '../message-writer.ts';
import { retryQueueNumsMax, type SubscriptionGroups } from '../subscription-groups.ts';
import type { Topic } from '../topic.ts';
import type { Topics } from '../topics.ts';
import { versionWithMaxReconsumeTimes } from './send.ts';

export function sendBackHandlers(parts: {
  readonly store: Pick<MessageStore, 'recordAt'>;
  readonly writer: MessageWriter;
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly counters: BrokerCounters;
  readonly messageIds: OffsetMessageIds;
  readonly random: Random;
  readonly config: { readonly brokerPermission: number };
}): HandlersOf<'broker', 'consumerSendMsgBack'> {
  const { store, writer, topics, groups, counters, messageIds, random, config } = parts;

  function topicFor(name: string, queueNums: number, topicSysFlag: number): Topic {
    const topic = topics.createForGroup(name, queueNums, topics.get(name)?.order, topicSysFlag);
    if (typeof topic === 'string') {
      throw new ResponseError(ResponseCode.SYSTEM_ERROR, `topic[${name}] not exist: ${topic}`);
    }
    if ((topic.perm & Perm.WRITE) === 0) {
      throw new ResponseError(ResponseCode.NO_PERMISSION, `the topic[${name}] sending message is forbidden`);
    }
    return topic;
  }

  return {
    async consumerSendMsgBack(header, _body, call) {
      const group = groups.findOrCreate(header.group);
      if (group === undefined) {
        throw new ResponseError(
          ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
          `subscription group not exist, ${header.group}`,
        );
      }
      if ((config.brokerPermission & Perm.WRITE) === 0) {
        throw new ResponseError(
          ResponseCode.NO_PERMISSION,
          'the broker sending message is forbidden (brokerPermission)',
        );
      }
      const retryQueueNums = Math.min(group.retryQueueNums, retryQueueNumsMax);
      if (retryQueueNums <= 0) return {};
      const retry = topicFor(
        retryTopicOf(header.group),
        retryQueueNums,
        header.unitMode === true ? TopicSysFlag.UNIT_SUB : 0,
      );
      const record = header.offset < 0 ? undefined : await store.recordAt(header.offset);
      if (record === undefined) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `look message by offset failed, ${header.offset}`);
      }
      const message = decodeRecord(record, 0);
      const properties = decodeProperties(message.properties);
      const ownLimit = call.version >= versionWithMaxReconsumeTimes ? header.maxReconsumeTimes : undefined;
      const dead = message.reconsumeTimes >= (ownLimit ?? group.retryMaxTimes) || header.delayLevel < 0;
      const target = dead ? topicFor(dlqTopicOf(header.group), 1, 0) : retry;
      if (!properties.has(PropertyName.RETRY_TOPIC)) properties.set(PropertyName.RETRY_TOPIC, message.topic);
      if (!properties.has(PropertyName.ORIGIN_MESSAGE_ID)) {
        properties.set(PropertyName.ORIGIN_MESSAGE_ID, messageIds.at(message.physicalOffset).toString());
      }
      properties.set(PropertyName.WAIT, 'false');
      const level = dead ? 0 : header.delayLevel || 3 + message.reconsumeTimes;
      properties.set(PropertyName.DELAY, String(level));
      const result = await new Promise<PutResult>((resolve) =>
        writer.write(
          {
            topic: target.topicName,
            // The topic may have fewer queues than the group says by now, and nobody reads others.
            queueId: dead ? 0 : random.below(Math.max(1, Math.min(retryQueueNums, retry.readQueueNums))),
            flag: message.flag,
            sysFlag: message.sysFlag,
            bornTimestampMs: message.bornTimestampMs,
            bornIp: message.bornIp,
            bornPort: message.bornPort,
            reconsumeTimes: message.reconsumeTimes + 1,
            body: message.body,
            properties,
            // The consumer forgets the message when it gets the answer, whatever WAIT says.
            waitForDurable: true,
          },
          resolve,
        ),
      );
      if (result.status !== 'ok') {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `${result.status}: ${result.cause ?? 'not stored'}`);
      }
      if (dead) counters.deadLettersTotal++;
      else counters.sentBackTotal++;
      return {};
    },
  };
}
