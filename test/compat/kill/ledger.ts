// What the load knows: which messages were acknowledged at which place, what a reader of the queues saw there, and what
// a consumer group was given. Messages are numbers from 0; each is sent once and never tried again, so that it may be
// stored once or, without an acknowledgement, not at all.

export type Place = { queueId: number; queueOffset: number };

export type LedgerFigures = { sent: number; acknowledged: number; stored: number; consumed: number };

export class Ledger {
  /** The message at each place that was acknowledged or seen: `#acknowledged[queueId][queueOffset]`. */
  readonly #acknowledged: number[][];
  readonly #seen: number[][];
  readonly #seenIds = new Set<number>();
  readonly #consumed = new Set<number>();
  #nextId = 0;
  #acknowledgedCount = 0;

  constructor(queueCount: number) {
    this.#acknowledged = Array.from({ length: queueCount }, () => []);
    this.#seen = Array.from({ length: queueCount }, () => []);
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** The broker said that the message is at this place. */
  acknowledge(id: number, { queueId, queueOffset }: Place): void {
    const other = this.#acknowledged[queueId][queueOffset];
    if (other !== undefined) {
      throw new Error(`queue ${queueId} offset ${queueOffset} was acknowledged for ${other} and for ${id}`);
    }
    this.#acknowledged[queueId][queueOffset] = id;
    this.#acknowledgedCount++;
  }

  /** How far the reader of a queue has come. */
  seenEnd(queueId: number): number {
    return this.#seen[queueId].length;
  }

  /** The reader of a queue was given the message there. Readers begin at 0, and see every offset once. */
  see(id: number, { queueId, queueOffset }: Place): void {
    const expected = this.seenEnd(queueId);
    if (queueOffset !== expected) {
      throw new Error(`queue ${queueId} has a message at offset ${queueOffset} where ${expected} is next`);
    }
    if (this.#seenIds.has(id)) {
      throw new Error(`message ${id} is stored again, at queue ${queueId} offset ${queueOffset}`);
    }
    if (id >= this.#nextId) {
      throw new Error(`message ${id} at queue ${queueId} offset ${queueOffset} was never sent`);
    }
    this.#seenIds.add(id);
    this.#seen[queueId].push(id);
  }

  consume(id: number): void {
    this.#consumed.add(id);
  }

  /** Throws unless every acknowledged message was seen, at its place. */
  checkAcknowledged(): void {
    for (const [queueId, ids] of this.#acknowledged.entries()) {
      for (const [queueOffset, id] of ids.entries()) {
        if (id !== undefined && this.#seen[queueId][queueOffset] !== id) {
          const found = this.#seen[queueId][queueOffset] ?? 'nothing';
          throw new Error(
            `message ${id} was acknowledged at queue ${queueId} offset ${queueOffset}; there is ${found}`,
          );
        }
      }
    }
  }

  /** Throws unless the place holds what the reader saw when it was written. */
  checkUnchanged(id: number, { queueId, queueOffset }: Place): void {
    const before = this.#seen[queueId][queueOffset];
    if (before !== id) {
      throw new Error(`queue ${queueId} offset ${queueOffset} held ${before ?? 'nothing'}, and holds ${id} now`);
    }
  }

  /** Messages that were seen, and that no consumer has been given yet. */
  notConsumed(): number {
    let count = 0;
    for (const id of this.#seenIds) {
      count += this.#consumed.has(id) ? 0 : 1;
    }
    return count;
  }

  figures(): LedgerFigures {
    return {
      sent: this.#nextId,
      acknowledged: this.#acknowledgedCount,
      stored: this.#seenIds.size,
      consumed: this.#consumed.size,
    };
  }
}
