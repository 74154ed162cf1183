import { limits } from './limits.ts';

/**
 * Names of topics and groups. Two grammars: what a user may create, and what may be stored (retry, dead-letter, LMQ
 * and lite topics, topics named after a broker's host). A name becomes a directory, so that neither lets `/` or a
 * name of dots pass.
 */
const userName = /^[%|a-zA-Z0-9_-]+$/;
const storableName = /^[%|a-zA-Z0-9_$+.-]+$/;

/** Undefined when users may create the topic, otherwise a sentence that says why not. */
export function checkTopicName(name: string): string | undefined {
  const longest = isRetryTopic(name) || isDlqTopic(name) ? limits.storedTopicLengthMax : limits.topicLengthMax;
  return checkName('topic', name, longest);
}

/** Undefined when users may create the group, otherwise a sentence that says why not. */
export function checkGroupName(name: string): string | undefined {
  return checkName('group', name, limits.groupLengthMax);
}

function checkName(kind: 'topic' | 'group', name: string, lengthMax: number): string | undefined {
  if (name.trim() === '') return `the ${kind} name is blank`;
  if (name.length > lengthMax) {
    return `the ${kind} name has ${name.length} characters, the limit is ${lengthMax}: ${name.slice(0, lengthMax)}…`;
  }
  if (!userName.test(name)) {
    return `the ${kind} name ${JSON.stringify(name)} contains illegal characters, allowed are letters, digits and %|_-`;
  }
  return undefined;
}

/** Whether the name may be a topic in the store, that is a directory below it. */
export function isStorableTopicName(name: string): boolean {
  return name.length <= limits.storedTopicLengthMax && storableName.test(name) && name !== '.' && name !== '..';
}

const retryPrefix = '%RETRY%';
const dlqPrefix = '%DLQ%';

export function retryTopicOf(group: string): string {
  return retryPrefix + group;
}

export function dlqTopicOf(group: string): string {
  return dlqPrefix + group;
}

export function isRetryTopic(topic: string): boolean {
  return topic.startsWith(retryPrefix);
}

export function isDlqTopic(topic: string): boolean {
  return topic.startsWith(dlqPrefix);
}

export const SystemTopic = {
  /** The template that topics are created from automatically. */
  AUTO_CREATE: 'TBW102',
  SCHEDULE: 'SCHEDULE_TOPIC_XXXX',
  BENCHMARK: 'BenchmarkTest',
  TRANS_HALF: 'RMQ_SYS_TRANS_HALF_TOPIC',
  TRANS_OP_HALF: 'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  ROCKSDB_TRANS_HALF: 'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
  ROCKSDB_TRANS_OP_HALF: 'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC',
  TRANS_CHECK_MAX_TIME: 'TRANS_CHECK_MAX_TIME_TOPIC',
  SELF_TEST: 'SELF_TEST_TOPIC',
  OFFSET_MOVED_EVENT: 'OFFSET_MOVED_EVENT',
  TRACE: 'RMQ_SYS_TRACE_TOPIC',
  ROCKSDB_OFFSET: 'CHECKPOINT_TOPIC',
  TIMER: 'rmq_sys_wheel_timer',
} as const;

/** Every topic that begins so belongs to the system. */
export const systemTopicPrefix = 'rmq_sys_';

const systemTopics: ReadonlySet<string> = new Set(Object.values(SystemTopic));

/** A broker adds its own name's and its cluster's topic to these. */
export function isSystemTopic(topic: string): boolean {
  return systemTopics.has(topic) || topic.startsWith(systemTopicPrefix);
}

/** Topics that clients may not send to (code 16). */
export const topicsClosedToSend: ReadonlySet<string> = new Set([
  SystemTopic.SCHEDULE,
  SystemTopic.TRANS_HALF,
  SystemTopic.TRANS_OP_HALF,
  SystemTopic.ROCKSDB_TRANS_HALF,
  SystemTopic.ROCKSDB_TRANS_OP_HALF,
  SystemTopic.TRANS_CHECK_MAX_TIME,
  SystemTopic.SELF_TEST,
  SystemTopic.OFFSET_MOVED_EVENT,
]);

/** Every group that begins so belongs to the system. */
export const systemGroupPrefix = 'CID_RMQ_SYS_';
