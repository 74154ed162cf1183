export type { BatchMessage } from './batch.ts';
export { BatchError, decodeBatch, encodeBatch } from './batch.ts';
export { parseDelayLevels } from './delay-levels.ts';
export { Perm, PullSysFlag, SysFlag, TopicSysFlag } from './flags.ts';
export { limits } from './limits.ts';
export {
  checkGroupName,
  checkTopicName,
  dlqTopicOf,
  isDlqTopic,
  isRetryTopic,
  isStorableTopicName,
  isSystemTopic,
  retryTopicOf,
  SystemTopic,
  systemGroupPrefix,
  systemTopicPrefix,
  topicsClosedToSend,
} from './names.ts';
export { OffsetMessageIds, offsetMessageId, parseOffsetMessageId } from './offset-message-id.ts';
export { decodeProperties, encodeProperties } from './properties.ts';
export { PropertyName } from './property-name.ts';
export type { RecordCheck, RecordFields, StoredMessage } from './record.ts';
export {
  blankSize,
  checkRecord,
  decodeRecord,
  encodeBlank,
  encodeRecord,
  findRecord,
  physicalOffsetOf,
  recordHeadSize,
  recordSize,
  storeTimestampOf,
} from './record.ts';
export { tagsCodeOf } from './tags-code.ts';
export type { UniqueKeys } from './unique-keys.ts';
export { createUniqueKeys } from './unique-keys.ts';
