/**
 * Time, in two kinds that cannot be mixed up: monotonic time for durations, wall time only for stamps that leave the
 * process (store timestamps, data versions, logs).
 */
export interface Clock {
  /** Milliseconds (with fractions) since an arbitrary start. Never goes back. For durations and deadlines. */
  monotonicMs(): number;
  /** Whole milliseconds since 1970-01-01 UTC. May jump in either direction. For stamps only. */
  wallMs(): number;
}
