/** Consumer offsets (14, 15) and the ends of queues (29 to 32). */
import { type HandlersOf, ResponseCode, ResponseError, slotsOf } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';
import type { ConsumerOffsets } from '../consumer-offsets.ts';
import type { SubscriptionGroups } from '../subscription-groups.ts';
import { queueNumsMax } from '../topic.ts';
import type { Topics } from '../topics.ts';

type OffsetCommand =
  | 'queryConsumerOffset'
  | 'updateConsumerOffset'
  | 'searchOffsetByTimestamp'
  | 'getMaxOffset'
  | 'getMinOffset'
  | 'getEarliestMsgStoretime';

export function offsetHandlers(parts: {
  readonly store: Pick<MessageStore, 'minOffset' | 'maxOffset' | 'inMemory' | 'offsetByTime' | 'earliestTimestampMs'>;
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly offsets: ConsumerOffsets;
}): HandlersOf<'broker', OffsetCommand> {
  const { store, topics, groups, offsets } = parts;
  const query = slotsOf('queryConsumerOffset');
  const update = slotsOf('updateConsumerOffset');
  return {
    /**
     * A group without an offset starts at 0 in a queue whose first message is still in memory: young topics are read from
     * their beginning, whatever the client would choose (RocketMQ: ConsumerManageProcessor.queryConsumerOffset).
     */
    queryConsumerOffset(header) {
      const topic = header.name(query.topic);
      const queueId = header.i32(query.queueId);
      const offset = offsets.committed(header.name(query.consumerGroup), topic, queueId);
      if (offset >= 0) return { fields: { offset } };
      const zeroAllowed = !header.has(query.setZeroIfNotFound) || header.bool(query.setZeroIfNotFound);
      if (zeroAllowed && store.minOffset(topic, queueId) <= 0 && store.inMemory(topic, queueId, 0)) {
        return { fields: { offset: 0 } };
      }
      throw new ResponseError(
        ResponseCode.QUERY_NOT_FOUND,
        'Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first',
      );
    },

    updateConsumerOffset(header) {
      const group = header.name(update.consumerGroup);
      const topic = header.name(update.topic);
      const queueId = header.i32(update.queueId);
      const offset = header.i64(update.commitOffset);
      if (!groups.has(group)) {
        throw new ResponseError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `Group ${group} not exist!`);
      }
      if (topics.get(topic) === undefined) {
        throw new ResponseError(ResponseCode.TOPIC_NOT_EXIST, `Topic ${topic} not exist!`);
      }
      if (!header.has(update.queueId) || queueId < 0 || queueId >= queueNumsMax) {
        throw new ResponseError(ResponseCode.INVALID_PARAMETER, `queueId ${queueId} of topic ${topic} is no queue's`);
      }
      if (!header.has(update.commitOffset) || offset < 0) {
        throw new ResponseError(ResponseCode.INVALID_PARAMETER, `offset ${offset} of topic ${topic} is no offset`);
      }
      if (!offsets.commit(group, topic, queueId, offset)) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'no room for the offsets of another group and topic');
      }
      return {};
    },

    async searchOffsetByTimestamp({ topic, queueId, timestamp, boundaryType }) {
      const boundary = boundaryType?.toUpperCase() === 'UPPER' ? 'upper' : 'lower';
      return { fields: { offset: await store.offsetByTime(topic, queueId, timestamp, boundary) } };
    },

    getMaxOffset: ({ topic, queueId }) => ({ fields: { offset: store.maxOffset(topic, queueId) } }),

    getMinOffset: ({ topic, queueId }) => ({ fields: { offset: store.minOffset(topic, queueId) } }),

    async getEarliestMsgStoretime({ topic, queueId }) {
      return { fields: { timestamp: await store.earliestTimestampMs(topic, queueId) } };
    },
  };
}
