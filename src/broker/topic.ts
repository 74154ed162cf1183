import { type JsonObject, type JsonValue, writeLooseJson } from '../common/mod.ts';
import { checkTopicName, Perm, SystemTopic, systemTopicPrefix, topicsClosedToSend } from '../message/mod.ts';
import { ResponseCode } from '../remoting/mod.ts';
import type { Attributes } from './attributes.ts';
import { asObject } from './json-state.ts';

/** One topic as files, registrations and administrators see it. */
export interface TopicConfig {
  readonly topicName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  readonly perm: number;
  readonly topicFilterType: 'SINGLE_TAG' | 'MULTI_TAG';
  readonly topicSysFlag: number;
  readonly order: boolean;
  readonly attributes: Attributes;
}

/** A topic with what sends and pulls need of it, worked out once. A change makes a new one; the counters go along. */
export interface Topic extends TopicConfig {
  /** Its JSON text, in files and registrations. */
  readonly json: string;
  /** max(read, write): what a send may address. */
  readonly queueNums: number;
  /** Why clients may not send to it. */
  readonly sendRefusal: { readonly code: number; readonly remark: string } | undefined;
  /** A compacted topic keeps the newest message of each key, so that each needs one. */
  readonly needsKeys: boolean;
  readonly counters: TopicCounters;
}

export interface TopicCounters {
  messagesIn: number;
  /** At the last sample of the rates. */
  messagesInSampled: number;
  bytesIn: number;
  messagesOut: number;
  bytesOut: number;
}

/** Queues of one topic; more are refused. */
export const queueNumsMax = 65_536;

export interface TopicRules {
  readonly clusterName: string;
  readonly brokerName: string;
  readonly autoCreate: boolean;
  readonly defaultQueueNums: number;
  readonly clusterTopicEnable: boolean;
  readonly brokerTopicEnable: boolean;
  /** Undefined: no trace topic. */
  readonly traceTopic: string | undefined;
  readonly reviveQueueNums: number;
}

/** Works out what a topic's row holds besides its configuration. */
export function topicOf(config: TopicConfig, counters?: TopicCounters): Topic {
  return {
    ...config,
    json: writeLooseJson(config),
    queueNums: Math.max(config.readQueueNums, config.writeQueueNums),
    sendRefusal: sendRefusalOf(config),
    needsKeys: config.attributes['cleanup.policy'] === 'COMPACTION',
    counters: counters ?? { messagesIn: 0, messagesInSampled: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 },
  };
}

export function plainTopic(name: string, queueNums: number): TopicConfig {
  return {
    topicName: name,
    readQueueNums: queueNums,
    writeQueueNums: queueNums,
    perm: Perm.READ | Perm.WRITE,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: {},
  };
}

/** Without what `Topic` adds. */
export function configOf(topic: Topic): TopicConfig {
  const { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes } = topic;
  return { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes };
}

/** What stands in the file of any broker since 4.0; absent members get Java's defaults. */
export function readTopicConfig(name: string, row: JsonObject): TopicConfig {
  const number = (value: JsonValue | undefined, byDefault: number) =>
    typeof value === 'number' && value === (value | 0) ? value : byDefault;
  const attributes: Record<string, string> = {};
  for (const [key, value] of Object.entries(asObject(row.attributes) ?? {})) attributes[key] = String(value);
  return {
    topicName: name,
    readQueueNums: number(row.readQueueNums, 16),
    writeQueueNums: number(row.writeQueueNums, 16),
    perm: number(row.perm, Perm.READ | Perm.WRITE),
    topicFilterType: row.topicFilterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    topicSysFlag: number(row.topicSysFlag, 0),
    order: row.order === true,
    attributes,
  };
}

/** In Apache's order: the name, then topics that only the broker writes. */
function sendRefusalOf(config: TopicConfig): Topic['sendRefusal'] {
  const name = config.topicName;
  const problem = checkTopicName(name);
  if (problem !== undefined) return { code: ResponseCode.INVALID_PARAMETER, remark: problem };
  if (topicsClosedToSend.has(name)) {
    return { code: ResponseCode.NO_PERMISSION, remark: `Sending message to topic[${name}] is forbidden.` };
  }
  if (config.attributes['queue.type'] === 'BatchCQ') {
    return {
      code: ResponseCode.SYSTEM_ERROR,
      remark: `topic[${name}] has queue.type=BatchCQ, which this version does not write: use a topic with SimpleCQ`,
    };
  }
  return undefined;
}

/** What a broker has from the first start on (RocketMQ: TopicConfigManager.init). */
export function systemTopics(rules: TopicRules): TopicConfig[] {
  const { clusterName, brokerName } = rules;
  const readWrite = Perm.READ | Perm.WRITE;
  const topics = [
    plainTopic(SystemTopic.SELF_TEST, 1),
    plainTopic(SystemTopic.BENCHMARK, 1024),
    { ...plainTopic(clusterName, 16), perm: Perm.INHERIT | (rules.clusterTopicEnable ? readWrite : 0) },
    { ...plainTopic(brokerName, 1), perm: Perm.INHERIT | (rules.brokerTopicEnable ? readWrite : 0) },
    plainTopic(SystemTopic.OFFSET_MOVED_EVENT, 1),
    plainTopic(SystemTopic.SCHEDULE, 18),
    plainTopic(`${clusterName}_REPLY_TOPIC`, 1),
    plainTopic(`${systemTopicPrefix}REVIVE_LOG_${clusterName}`, rules.reviveQueueNums),
    { ...plainTopic(`${systemTopicPrefix}SYNC_BROKER_MEMBER_${brokerName}`, 1), perm: Perm.INHERIT },
    plainTopic(SystemTopic.TRANS_HALF, 1),
    plainTopic(SystemTopic.TRANS_OP_HALF, 1),
    plainTopic(SystemTopic.ROCKSDB_TRANS_HALF, 1),
    plainTopic(SystemTopic.ROCKSDB_TRANS_OP_HALF, 1),
    plainTopic(SystemTopic.TIMER, 1),
  ];
  if (rules.autoCreate) {
    const template = plainTopic(SystemTopic.AUTO_CREATE, rules.defaultQueueNums);
    topics.push({ ...template, perm: Perm.INHERIT | readWrite });
  }
  if (rules.traceTopic !== undefined) topics.push(plainTopic(rules.traceTopic, 1));
  return topics;
}
