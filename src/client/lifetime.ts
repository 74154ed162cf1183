import type { Timer, Timers } from '../io/mod.ts';

/** How long something runs: its loops sleep here, and wake when it ends. */
export class Lifetime {
  readonly #timers: Timers;
  readonly #sleepers = new Map<Timer, () => void>();
  readonly #periodic: Timer[] = [];
  #ended = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves after `delayMs`, or as soon as the lifetime ends. */
  sleep(delayMs: number): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#timers.after(delayMs, () => {
        this.#sleepers.delete(timer);
        resolve();
      });
      this.#sleepers.set(timer, resolve);
    });
  }

  /** Runs `run` each `periodMs` while the lifetime lasts. */
  every(periodMs: number, run: () => void): void {
    if (!this.#ended) this.#periodic.push(this.#timers.every(periodMs, run));
  }

  end(): void {
    this.#ended = true;
    for (const timer of this.#periodic) timer.cancel();
    for (const [timer, wake] of this.#sleepers) {
      timer.cancel();
      wake();
    }
    this.#sleepers.clear();
  }
}
