/**
 * What clients saw, and what must be true of it:
 *
 * - what was acknowledged is delivered to every group (`missing`);
 * - what is delivered was sent, with the same body (no phantom);
 * - a place in a queue holds one message for ever, whoever looks;
 * - of two acknowledged sends one after the other to a queue, the later has the higher offset;
 * - a group that consumes in order never skips a place.
 *
 * A send that failed or timed out may or may not be stored: nothing is demanded of it. In a `lossy` run asynchronous
 * flush meets faults that it promises nothing about: only phantoms are left to look for.
 */
import { assert } from '../common/mod.ts';

/** A checker found something that must never be. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Sent {
  body: string;
  acknowledged: boolean;
  /** The groups that have it. */
  readonly groups: Set<string>;
}

export interface Delivery {
  group: string;
  ordered: boolean;
  /** `broker/queueId` of the topic; undefined for a redelivery through the retry topic. */
  queue: string | undefined;
  queueOffset: number;
  body: string;
}

export class History {
  readonly #sent = new Map<string, Sent>();
  /** `queue offset` → the id of the message there. */
  readonly #places = new Map<string, string>();
  /** The last acknowledged offset, by sender and queue. */
  readonly #lastAcknowledged = new Map<string, number>();
  readonly #groups: readonly string[];
  /** Acknowledged, and not yet delivered to every group. */
  readonly #awaited = new Set<string>();
  /** The next place that a group consuming in order has not seen, by group and queue. */
  readonly #frontiers = new Map<string, number>();
  acknowledgedCount = 0;
  failedCount = 0;
  deliveryCount = 0;

  readonly #lossy: boolean;

  constructor(groups: readonly string[], lossy: boolean) {
    this.#lossy = lossy;
    this.#groups = groups;
  }

  get sentCount(): number {
    return this.#sent.size;
  }

  sending(id: string, body: string): void {
    assert(!this.#sent.has(id), 'every message is sent under an id of its own');
    this.#sent.set(id, { body, acknowledged: false, groups: new Set() });
  }

  /** `sender` sends one at a time to a queue, or its sends are no sequence. */
  acknowledged(id: string, sender: string, queue: string, queueOffset: number): void {
    const sent = this.#sent.get(id);
    assert(sent !== undefined, 'what is acknowledged was sent');
    sent.acknowledged = true;
    this.acknowledgedCount += 1;
    if (this.#lossy) return;
    if (sent.groups.size < this.#groups.length) this.#awaited.add(id);
    this.#at(queue, queueOffset, id);
    const sequence = `${sender} ${queue}`;
    const last = this.#lastAcknowledged.get(sequence) ?? -1;
    if (queueOffset <= last) {
      throw new Violation(`${id} was acknowledged at ${queue}/${queueOffset}, behind an earlier send at ${last}`);
    }
    this.#lastAcknowledged.set(sequence, queueOffset);
  }

  delivered({ group, ordered, queue, queueOffset, body }: Delivery): void {
    const id = body.slice(0, body.indexOf(' '));
    const sent = this.#sent.get(id);
    if (sent === undefined) throw new Violation(`${group} got a message that nobody sent: ${body.slice(0, 80)}`);
    if (sent.body !== body) throw new Violation(`${group} got ${id} with another body`);
    this.deliveryCount += 1;
    sent.groups.add(group);
    if (sent.groups.size === this.#groups.length) this.#awaited.delete(id);
    if (queue === undefined || this.#lossy) return;
    this.#at(queue, queueOffset, id);
    if (!ordered) return;
    const key = `${group} ${queue}`;
    const frontier = this.#frontiers.get(key) ?? 0;
    if (queueOffset > frontier) {
      throw new Violation(`${group}, which consumes in order, got ${queue}/${queueOffset} before ${frontier}`);
    }
    this.#frontiers.set(key, Math.max(frontier, queueOffset + 1));
  }

  /** A message seen in a queue of the log itself. */
  stored(queue: string, queueOffset: number, body: string): void {
    const id = body.slice(0, body.indexOf(' '));
    if (this.#sent.get(id)?.body !== body) throw new Violation(`the log holds what nobody sent: ${body.slice(0, 80)}`);
    if (!this.#lossy) this.#at(queue, queueOffset, id);
  }

  /** Acknowledged messages that some group has not got, as `group id`. */
  missing(): string[] {
    const missing: string[] = [];
    for (const id of this.#awaited) {
      const got = this.#sent.get(id)?.groups;
      for (const group of this.#groups) if (got?.has(group) !== true) missing.push(`${group} ${id}`);
    }
    return missing;
  }

  /** Places that clients were told of, as `queue offset`, with the id of their message. */
  get places(): ReadonlyMap<string, string> {
    return this.#places;
  }

  #at(queue: string, queueOffset: number, id: string): void {
    const place = `${queue} ${queueOffset}`;
    const known = this.#places.get(place);
    if (known === undefined) this.#places.set(place, id);
    else if (known !== id) throw new Violation(`${queue}/${queueOffset} held ${known} and now holds ${id}`);
  }
}
