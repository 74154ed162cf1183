/**
 * A cap on how many calls of one kind are under way. libuv runs file and name look-up calls on a few shared threads: a
 * call that waits here for its lane takes none of them.
 */
export class Lane {
  readonly #width: number;
  #busy = 0;
  /** As many as callers have calls under way; each of them is bounded by its own limits. */
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /** Runs `call` when the lane has room, in order of arrival. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#busy === this.#width) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else {
      this.#busy += 1;
    }
    try {
      return await call();
    } finally {
      // The place is handed over, never set free and taken again: nobody can slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}

/** Four threads by default: two for what may take long, one for directory work, and one is always left for the log. */
export interface Lanes {
  /** Cold reads and name look-ups. */
  slow: Lane;
  /** Opening, closing, listing, renaming, removing, sizing. */
  metadata: Lane;
}

export function createLanes(): Lanes {
  return { slow: new Lane(2), metadata: new Lane(1) };
}
