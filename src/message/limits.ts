/** Limits of messages and names, in bytes unless the name says otherwise; Apache's defaults. */
export const limits = {
  /** Of a body as it is sent (`maxMessageSize`). */
  bodySizeMax: 4 * 1024 * 1024,
  /** What a whole record may have above its body's limit. */
  recordOverheadMax: 64 * 1024,
  /** The record holds the length in a signed 16-bit integer. */
  propertiesSizeMax: 32_767,
  /** Characters; names that users create are ASCII. */
  topicLengthMax: 127,
  /** Retry and dead-letter topics, and whatever else is stored. */
  storedTopicLengthMax: 255,
  groupLengthMax: 120,
} as const;
