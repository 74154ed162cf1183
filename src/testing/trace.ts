import { javaHash } from '../common/mod.ts';

/** Texts whose hash is kept; more, and it begins anew. */
const codeCountMax = 20_000;

/**
 * A running hash of everything that happened, in order. Two runs of one seed must end in the same hash; where they do
 * not, something took time, chance or order from outside the simulation.
 */
export class Trace {
  // Two 32-bit FNV-1a lanes; the second sees each unit with its bits turned, so that the pair acts as a 64-bit hash.
  #low = 0x811c9dc5;
  #high = 0xcbf29ce4;
  #eventCount = 0;
  readonly #codes = new Map<string, number>();

  get eventCount(): number {
    return this.#eventCount;
  }

  add(timeUs: number, owner: string, kind: string, place: string, number: number): void {
    this.#eventCount += 1;
    this.#number(timeUs >>> 0);
    this.#number(Math.floor(timeUs / 2 ** 32));
    this.#number(this.#codeOf(owner));
    this.#number(this.#codeOf(kind));
    this.#number(this.#codeOf(place));
    this.#number(number | 0);
  }

  get hash(): string {
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  #codeOf(text: string): number {
    let code = this.#codes.get(text);
    if (code === undefined) {
      code = javaHash(text);
      if (this.#codes.size >= codeCountMax) this.#codes.clear();
      this.#codes.set(text, code);
    }
    return code;
  }

  #number(unit: number): void {
    this.#low = Math.imul(this.#low ^ unit, 0x01000193);
    this.#high = Math.imul(this.#high ^ ((unit << 7) | (unit >>> 25)), 0x01000193) + this.#low;
  }
}
