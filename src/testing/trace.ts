/**
 * A running hash of everything that happened, in order. Two runs of one seed must end in the same hash; where they do
 * not, something took time, chance or order from outside the simulation.
 */
export class Trace {
  // Two 32-bit FNV-1a lanes; the second sees each unit with its bits turned, so that the pair acts as a 64-bit hash.
  #low = 0x811c9dc5;
  #high = 0xcbf29ce4;
  #eventCount = 0;

  get eventCount(): number {
    return this.#eventCount;
  }

  add(timeUs: number, owner: string, kind: string, detail: string): void {
    this.#eventCount += 1;
    this.#number(timeUs >>> 0);
    this.#number(Math.floor(timeUs / 2 ** 32));
    this.#text(owner);
    this.#text(kind);
    this.#text(detail);
  }

  get hash(): string {
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  #text(text: string): void {
    this.#number(text.length);
    for (let at = 0; at < text.length; at++) this.#number(text.charCodeAt(at));
  }

  #number(unit: number): void {
    this.#low = Math.imul(this.#low ^ unit, 0x01000193);
    this.#high = Math.imul(this.#high ^ ((unit << 7) | (unit >>> 25)), 0x01000193) + this.#low;
  }
}
