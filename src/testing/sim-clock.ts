import type { Clock } from '../io/mod.ts';

/** A machine's clock: it may run fast or slow, be set wrong, and be set anew while in use. */
export class SimClock implements Clock {
  readonly #worldUs: () => number;
  readonly #startWallMs: number;
  /** Local time ran with the present drift since this pair of instants. */
  #sinceWorldUs = 0;
  #sinceLocalUs = 0;
  #driftPpm = 0;
  #offsetMs = 0;

  constructor(worldUs: () => number, startWallMs: number) {
    this.#worldUs = worldUs;
    this.#startWallMs = startWallMs;
  }

  monotonicMs(): number {
    return this.#localUs() / 1000;
  }

  wallMs(): number {
    return Math.floor(this.#startWallMs + this.#offsetMs + this.#localUs() / 1000);
  }

  /** Sets the wall clock forward, or back when negative. Monotonic time does not notice. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  /** Lets this machine's time run faster than the world's by so many millionths, or slower when negative. */
  drift(ppm: number): void {
    this.#sinceLocalUs = this.#localUs();
    this.#sinceWorldUs = this.#worldUs();
    this.#driftPpm = ppm;
  }

  /** How long the world waits while this machine counts `ms`. */
  worldUsOf(ms: number): number {
    return Math.ceil((ms * 1000) / (1 + this.#driftPpm / 1e6));
  }

  #localUs(): number {
    return this.#sinceLocalUs + (this.#worldUs() - this.#sinceWorldUs) * (1 + this.#driftPpm / 1e6);
  }
}
