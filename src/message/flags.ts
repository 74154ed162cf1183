/** Bits of a message's sysFlag (RocketMQ: MessageSysFlag). */
export const SysFlag = {
  COMPRESSED: 1 << 0,
  MULTI_TAGS: 1 << 1,
  /** Two bits: NONE, PREPARED, COMMIT or ROLLBACK. */
  TRANSACTION_MASK: 3 << 2,
  TRANSACTION_PREPARED: 1 << 2,
  TRANSACTION_COMMIT: 2 << 2,
  TRANSACTION_ROLLBACK: 3 << 2,
  BORNHOST_V6: 1 << 4,
  STOREHOST_V6: 1 << 5,
  NEED_UNWRAP: 1 << 6,
  INNER_BATCH: 1 << 7,
  /** Three bits: how a compressed body is compressed. */
  COMPRESSION_TYPE_MASK: 7 << 8,
  /** Written by clients before 5.0; the same format as ZLIB. */
  COMPRESSION_ZLIB_OLD: 0 << 8,
  /** The frame format. */
  COMPRESSION_LZ4: 1 << 8,
  COMPRESSION_ZSTD: 2 << 8,
  COMPRESSION_ZLIB: 3 << 8,
} as const;

/** Bits of the pull request's sysFlag (RocketMQ: PullSysFlag). */
export const PullSysFlag = {
  /** The request's commitOffset counts. */
  COMMIT_OFFSET: 1 << 0,
  /** The broker may hold the request until a message comes. */
  SUSPEND: 1 << 1,
  /** The request carries its own subscription. */
  SUBSCRIPTION: 1 << 2,
  CLASS_FILTER: 1 << 3,
  LITE_PULL: 1 << 4,
} as const;

/** Permissions of topics and brokers (RocketMQ: PermName). */
export const Perm = {
  /** Topics that are created automatically copy this one. */
  INHERIT: 1 << 0,
  WRITE: 1 << 1,
  READ: 1 << 2,
  PRIORITY: 1 << 3,
} as const;

/** Bits of a topic's sysFlag. A group's sysFlag knows UNIT only. */
export const TopicSysFlag = {
  UNIT: 1 << 0,
  UNIT_SUB: 1 << 1,
} as const;
