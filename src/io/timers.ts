export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel(): void;
}

/** Delayed work, counted in monotonic milliseconds. Callbacks must not throw: a throw is a bug and ends the process. */
export interface Timers {
  /** Runs once, `delayMs` (>= 0) from now. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs each `periodMs` (> 0), first after one period; a late run is not made up for. */
  every(periodMs: number, run: () => void): Timer;
  /** Runs once the input that is ready now has been handled: the end of this turn of the event loop. */
  soon(run: () => void): void;
}
