/**
 * What a connection, and all of them together, may take. Each limit says what happens there. The defaults are high:
 * they stop what would take the process down, not what a busy cluster does.
 */
export interface RemotingLimits {
  /** Bytes of one frame, length prefix included. Over it the connection is closed (RocketMQ: NettyDecoder, 16 MiB). */
  readonly frameSizeMax: number;
  /** Bytes of one frame's header: 32 KiB of properties take up to 192 KiB as JSON escapes. Over it: closed. */
  readonly headerSizeMax: number;
  /** Entries in extFields, and nesting of a JSON header. Over either: closed. */
  readonly headerFieldsMax: number;
  readonly headerDepthMax: number;
  /** A connection that has not sent its first byte by then is closed. */
  readonly firstByteTimeoutMs: number;
  /** A frame may take this long, and longer only while it has come at `frameRateMin` bytes/s on average; else closed. */
  readonly frameTimeoutMs: number;
  readonly frameRateMin: number;
  /** A connection without traffic in both directions is closed (RocketMQ: 120 s at both ends). */
  readonly idleTimeoutMs: number;
  /** Bytes waiting to be taken by a peer, over which its requests are no longer read until it has taken all. */
  readonly outputSizeMax: number;
  /** Requests of one connection without an answer yet. Over it: SYSTEM_BUSY. Java clients stop at 65,535 by themselves. */
  readonly inFlightMax: number;
  /** Requests of ours to one peer without an answer yet. Over it they fail with 'busy'. */
  readonly outboundRequestsMax: number;
  /** Connections to one server in all, and from one address. Over it new ones are closed at once. */
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** File descriptors left to the rest of the process (segments, queues); the server accepts nothing beyond. */
  readonly fileDescriptorsReserved: number;
  /**
   * Bytes that all connections of a server may hold (half frames and answers not taken). Over it, whoever holds more
   * than an equal share is answered SYSTEM_BUSY, so that the total stays below twice the budget.
   */
  readonly heldBytesBudget: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultRemotingLimits: RemotingLimits = {
  frameSizeMax: 16 * MiB,
  headerSizeMax: 256 * KiB,
  headerFieldsMax: 128,
  headerDepthMax: 8,
  firstByteTimeoutMs: 10_000,
  frameTimeoutMs: 30_000,
  frameRateMin: 1 * KiB,
  idleTimeoutMs: 120_000,
  outputSizeMax: 8 * MiB,
  inFlightMax: 65_536,
  outboundRequestsMax: 65_535,
  connectionsMax: 100_000,
  connectionsPerAddressMax: 20_000,
  fileDescriptorsReserved: 512,
  heldBytesBudget: 512 * MiB,
};
