/**
 * Many deadlines on one timer: a binary heap whose items know their place, so that one that is met is taken out at
 * once and nothing lingers. The timer is armed for the earliest only, and left alone when that one is met.
 */
import { assert } from '../common/mod.ts';
import type { Clock, Timer, Timers } from '../io/mod.ts';

export abstract class Deadline {
  /** Monotonic. */
  readonly atMs: number;
  /** The place in the heap; −1 outside. */
  place = -1;

  constructor(atMs: number) {
    this.atMs = atMs;
  }

  /** Runs once when the time has come; the deadline is out of the heap by then. */
  abstract expire(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #heap: Deadline[] = [];
  #timer: Timer | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  add(deadline: Deadline): void {
    this.#heap.push(deadline);
    this.#rise(deadline, this.#heap.length - 1);
    if (deadline.atMs < this.#armedForMs) this.#arm(deadline.atMs);
  }

  remove(deadline: Deadline): void {
    const place = deadline.place;
    if (place < 0) return;
    assert(this.#heap[place] === deadline, 'a deadline stands at its place');
    deadline.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    this.#rise(last, place);
    this.#sink(last, last.place);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(atMs: number): void {
    this.#timer?.cancel();
    this.#armedForMs = atMs;
    this.#timer = this.#timers.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#run());
  }

  #run(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      this.remove(first);
      first.expire();
    }
    const next = this.#heap[0];
    if (next !== undefined && next.atMs < this.#armedForMs) this.#arm(next.atMs);
  }

  #rise(deadline: Deadline, from: number): void {
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent.atMs <= deadline.atMs) break;
      this.#heap[at] = parent;
      parent.place = at;
      at = parentAt;
    }
    this.#heap[at] = deadline;
    deadline.place = at;
  }

  #sink(deadline: Deadline, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (let childAt = 2 * at + 1; childAt < heap.length; childAt = 2 * at + 1) {
      if (childAt + 1 < heap.length && heap[childAt + 1].atMs < heap[childAt].atMs) childAt++;
      const child = heap[childAt];
      if (child.atMs >= deadline.atMs) break;
      heap[at] = child;
      child.place = at;
      at = childAt;
    }
    heap[at] = deadline;
    deadline.place = at;
  }
}
