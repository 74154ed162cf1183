import { javaHash } from '../common/mod.ts';
import type { Random } from '../io/mod.ts';

/** Chance from a seed (sfc32). `fork` gives each part a stream of its own, so that one more draw here moves nothing there. */
export class SimRandom implements Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;

  constructor(seed: number, label = '') {
    this.#seed = seed;
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) ^ javaHash(label);
    for (let round = 0; round < 15; round++) this.#next();
  }

  fork(label: string): SimRandom {
    return new SimRandom(this.#seed, label);
  }

  below(bound: number): number {
    return Math.floor((this.#next() / 2 ** 32) * bound);
  }

  float(): number {
    return (this.#next() * 2 ** 21 + (this.#next() >>> 11)) / 2 ** 53;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.#next();
    return bytes;
  }

  /** True with this probability, 0 … 1. */
  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability;
  }

  /** A whole number, both ends included. */
  between([low, high]: readonly [number, number]): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
