/** The name server's maxima. Over one of them the request is refused with code 2 and a sentence that names it. */
export const limits = {
  /** Broker processes registered at a time. */
  brokersMax: 10_000,
  /** Rows of the route table: one for each topic and broker name. */
  routeRowsMax: 2_000_000,
  /** A registration's body once inflated. Frames themselves end at 16 MiB. */
  inflatedBodySizeMax: 64 * 1024 * 1024,
  /** Bodies from this size on are decoded by a worker, and all compressed ones. */
  inlineBodySizeMax: 16 * 1024,
  /** Bodies that wait for the worker, all together. */
  decodingBytesMax: 256 * 1024 * 1024,
  /** All KV configuration together, as UTF-16 units of names and values. */
  kvConfigSizeMax: 4 * 1024 * 1024,
} as const;
