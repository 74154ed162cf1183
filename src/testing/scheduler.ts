/**
 * The one queue of events that a simulated world consists of, ordered by virtual time in whole microseconds. Events due
 * at the same instant run in seeded order. Between two events every promise job runs to its end, so that an event and
 * all that follows from it without waiting is one step.
 */
import { assert, Heap } from '../common/mod.ts';
import { runSteps } from '../io/node/mod.ts';
import type { SimRandom } from './sim-random.ts';
import type { Trace } from './trace.ts';

/** Whose event it is: a dead process gets none any more, a paused one gets them when it wakes. */
export interface Owner {
  readonly name: string;
  readonly alive: boolean;
  readonly pausedUntilUs: number;
}

export interface Event {
  cancel(): void;
}

class Scheduled implements Event {
  timeUs: number;
  readonly tie: number;
  readonly sequence: number;
  readonly owner: Owner | undefined;
  readonly kind: string;
  readonly place: string;
  readonly number: number;
  run: (() => void) | undefined;

  constructor(
    timeUs: number,
    tie: number,
    sequence: number,
    owner: Owner | undefined,
    kind: string,
    place: string,
    number: number,
    run: () => void,
  ) {
    this.timeUs = timeUs;
    this.tie = tie;
    this.sequence = sequence;
    this.owner = owner;
    this.kind = kind;
    this.place = place;
    this.number = number;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** More events than this at one instant, and time stands still: something waits in a circle. */
const eventsAtOneInstantMax = 100_000;

/** After all that is due at the same instant, in order of arrival. */
export const tieLast = 2 ** 32;

/** Our code threw inside an event: in production the process would have ended there. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure';
}

export class Scheduler {
  readonly #random: SimRandom;
  readonly #trace: Trace;
  readonly #heap = new Heap<Scheduled>((a, b) => a.timeUs - b.timeUs || a.tie - b.tie || a.sequence - b.sequence);
  #nowUs = 0;
  #sequence = 0;
  #eventsAtThisInstant = 0;
  #failed: { error: unknown } | undefined;

  constructor(random: SimRandom, trace: Trace) {
    this.#random = random;
    this.#trace = trace;
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** For the trace, `place` is one of few texts (a path, a connection) and `number` what is new about this event. */
  schedule(
    owner: Owner | undefined,
    delayUs: number,
    kind: string,
    place: string,
    run: () => void,
    number = 0,
    tie = this.#random.below(tieLast),
  ): Event {
    this.#sequence += 1;
    const timeUs = this.#nowUs + Math.max(0, Math.round(delayUs));
    const event = new Scheduled(timeUs, tie, this.#sequence, owner, kind, place, number, run);
    this.#heap.push(event);
    return event;
  }

  /** Ends the run that is under way: something outside of its events found a fault. */
  fail(error: unknown): void {
    this.#failed ??= { error };
  }

  /** Resolves `delayMs` of virtual time from now. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(undefined, delayMs * 1000, 'sleep', '', resolve);
    });
  }

  /**
   * Lets events happen until `body` settles. Rejects with SimulationFailure when an event throws, when nothing is left
   * to happen, or when `limitMs` of virtual time went by.
   */
  async run<T>(body: () => Promise<T>, limitMs: number): Promise<T> {
    let settled: { value: T } | { error: unknown } | undefined;
    const limitUs = this.#nowUs + limitMs * 1000;
    body().then(
      (value) => {
        settled = { value };
      },
      (error) => {
        settled = { error };
      },
    );
    await runSteps(() => {
      if (settled !== undefined) return false;
      if (this.#failed !== undefined) throw this.#failed.error;
      this.#step(limitUs);
      return true;
    });
    const end: { value: T } | { error: unknown } | undefined = settled;
    assert(end !== undefined, 'the steps end when the body has settled');
    if ('error' in end) throw end.error;
    return end.value;
  }

  #step(limitUs: number): void {
    const event = this.#takeNext();
    if (event === undefined) throw this.#failure('nothing is left to happen, yet the run waits');
    if (event.timeUs > limitUs) throw this.#failure(`the run did not end in its ${limitUs / 1000} ms`);
    this.#eventsAtThisInstant = event.timeUs === this.#nowUs ? this.#eventsAtThisInstant + 1 : 0;
    this.#nowUs = event.timeUs;
    if (this.#eventsAtThisInstant > eventsAtOneInstantMax) {
      throw this.#failure(`time stands still: ${event.owner?.name} ${event.kind} ${event.place} again and again`);
    }
    this.#trace.add(event.timeUs, event.owner?.name ?? '', event.kind, event.place, event.number);
    try {
      event.run?.();
    } catch (error) {
      throw this.#failure(`${event.owner?.name ?? 'world'} threw in ${event.kind} ${event.place}: ${error}`, error);
    }
  }

  #takeNext(): Scheduled | undefined {
    for (;;) {
      const event = this.#heap.pop();
      if (event === undefined) return undefined;
      if (event.run === undefined || event.owner?.alive === false) continue;
      const wakesUs = event.owner?.pausedUntilUs ?? 0;
      if (wakesUs <= event.timeUs) return event;
      event.timeUs = wakesUs;
      this.#heap.push(event);
    }
  }

  #failure(message: string, cause?: unknown): SimulationFailure {
    return new SimulationFailure(`at ${this.#nowUs / 1000} ms: ${message}`, { cause });
  }
}
