/** Windows of a minute: the last six of ten seconds each. */
const windowsMax = 6;
const windowSeconds = 10;
/** Keys that were counted in the last minute; further ones are left out. */
const keysMax = 200_000;

interface Row {
  /** Of the windows that are over, oldest first. */
  readonly past: number[];
  now: number;
}

/** How many of something there were in a second, by key, over the last minute (RocketMQ: BrokerStatsManager). */
export class MinuteRates {
  readonly #rows = new Map<string, Row>();
  #windows = 0;

  count(key: string, amount: number): void {
    const row = this.#rows.get(key);
    if (row !== undefined) row.now += amount;
    else if (this.#rows.size < keysMax) this.#rows.set(key, { past: [], now: amount });
  }

  /** 0 for what was not counted, and until the first window is over. */
  perSecond(key: string): number {
    const row = this.#rows.get(key);
    if (row === undefined || this.#windows === 0) return 0;
    return sumOf(row.past) / (this.#windows * windowSeconds);
  }

  /** To be called each ten seconds. What was not counted for a minute is forgotten. */
  nextWindow(): void {
    if (this.#windows < windowsMax) this.#windows++;
    for (const [key, row] of this.#rows) {
      row.past.push(row.now);
      row.now = 0;
      if (row.past.length > windowsMax) row.past.shift();
      if (sumOf(row.past) === 0) this.#rows.delete(key);
    }
  }
}

function sumOf(amounts: readonly number[]): number {
  let sum = 0;
  for (const amount of amounts) sum += amount;
  return sum;
}
