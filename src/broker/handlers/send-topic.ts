/** The topic that a send goes to, created when it may be (RocketMQ: AbstractSendMessageProcessor.msgCheck). */
import { checkTopicName, isRetryTopic, Perm, TopicSysFlag, topicsClosedToSend } from '../../message/mod.ts';
import { type HeaderView, ResponseCode, ResponseError, type slotsOf } from '../../remoting/mod.ts';
import type { Topic } from '../topic.ts';
import type { Topics } from '../topics.ts';

export type SendCommand = 'sendMessage' | 'sendMessageV2' | 'sendBatchMessage';
/** The rows of the three commands name the same fields. */
export type SendSlots = Omit<ReturnType<typeof slotsOf<'sendMessageV2'>>, 'brokerName'>;

/** Throws ResponseError in Apache's order of checks: permission, name, closed topics, existence. */
export function createTopicToSend(
  topics: Topics,
  config: { readonly brokerPermission: number },
): (slots: SendSlots, header: HeaderView) => Topic {
  return (slots, header) => {
    const name = header.name(slots.topic);
    const topic = topics.get(name);
    if ((config.brokerPermission & Perm.WRITE) === 0 && topic?.order === true) {
      throw new ResponseError(ResponseCode.NO_PERMISSION, 'the broker sending message is forbidden (brokerPermission)');
    }
    if (topic !== undefined) {
      if (topic.sendRefusal === undefined) return topic;
      throw new ResponseError(topic.sendRefusal.code, topic.sendRefusal.remark);
    }
    const problem = checkTopicName(name);
    if (problem !== undefined) throw new ResponseError(ResponseCode.INVALID_PARAMETER, problem);
    if (topicsClosedToSend.has(name)) {
      throw new ResponseError(ResponseCode.NO_PERMISSION, `Sending message to topic[${name}] is forbidden.`);
    }
    const isRetry = isRetryTopic(name);
    const unit = header.bool(slots.unitMode) ? (isRetry ? TopicSysFlag.UNIT_SUB : TopicSysFlag.UNIT) : 0;
    const template = header.name(slots.defaultTopic);
    const created = topics.createBySend(name, template, header.i32(slots.defaultTopicQueueNums), unit);
    if (typeof created !== 'string') return created;
    if (isRetry) {
      const retry = topics.createForGroup(name, 1, false, unit);
      if (typeof retry !== 'string') return retry;
    }
    throw new ResponseError(ResponseCode.TOPIC_NOT_EXIST, `topic[${name}] not exist, apply first please! (${created})`);
  };
}
