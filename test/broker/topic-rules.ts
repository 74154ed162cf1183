import type { TopicRules } from '../../src/broker/topic.ts';

/** Of a broker b in a cluster c that allows everything. */
export const topicRules: TopicRules = {
  clusterName: 'c',
  brokerName: 'b',
  autoCreate: true,
  defaultQueueNums: 8,
  clusterTopicEnable: true,
  brokerTopicEnable: true,
  traceTopic: undefined,
  reviveQueueNums: 8,
};
