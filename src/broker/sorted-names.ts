/**
 * Names in the order of Java's strings, for lists that are given page by page. They are sorted once, when they are first
 * asked for; from then on each comes to its place, since sorting 50,000 anew after each change would be felt.
 */
export class SortedNames {
  readonly #names: string[] = [];
  #sorted = false;

  /** One that is not there yet. */
  add(name: string): void {
    if (this.#sorted) this.#names.splice(this.#placeOf(name), 0, name);
    else this.#names.push(name);
  }

  /** One that is there. */
  delete(name: string): void {
    this.#sort();
    this.#names.splice(this.#placeOf(name), 1);
  }

  slice(from: number, to: number): string[] {
    this.#sort();
    return this.#names.slice(from, to);
  }

  #sort(): void {
    if (!this.#sorted) this.#names.sort();
    this.#sorted = true;
  }

  /** Where it is, or belongs. */
  #placeOf(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#names[middle] < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
