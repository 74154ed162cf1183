/**
 * What clients saw, and what must be true of it:
 *
 * - what was acknowledged is delivered to every group (`missing`);
 * - what is delivered was sent, with the same body (no phantom);
 * - a place in a queue holds one message for ever, whoever looks;
 * - of two acknowledged sends one after the other to a queue, the later has the higher offset;
 * - a group that consumes in order never skips a place.
 *
 * A send that failed or timed out may or may not be stored: nothing is demanded of it. What a broker with asynchronous
 * flush lost is taken out (`survived`), if it was allowed to lose it. In a `damaged` run, in which disks falsify what
 * was durable, only phantoms are left to look for.
 */
import { assert } from '../common/mod.ts';

/** A checker found something that must never be. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Sent {
  body: string;
  sentMs: number;
  acknowledgedMs: number | undefined;
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
  /** Queue → offset → the id of the message there. */
  readonly #places = new Map<string, Map<number, string>>();
  /** The last acknowledged offset, by queue and sender. */
  readonly #lastAcknowledged = new Map<string, Map<string, number>>();
  readonly #groups: readonly string[];
  /** Acknowledged, and not yet delivered to every group. */
  readonly #awaited = new Set<string>();
  /** The next place that a group consuming in order has not seen, by queue and group. */
  readonly #frontiers = new Map<string, Map<string, number>>();
  acknowledgedCount = 0;
  failedCount = 0;
  deliveryCount = 0;

  /**
   * Queue → the end of the places that were lost. Consumers may have read up to there and hold such offsets, so that what
   * is stored there later may pass them by: RocketMQ's offsets do not say of which history they are.
   */
  readonly #voidEnds = new Map<string, number>();
  /** Of brokers that may lose something: queue → when a process ended → the end of what survived. */
  readonly #ends = new Map<string, Map<number, number>>();
  /** Acknowledged, and lost by a broker that was allowed to. */
  lostCount = 0;

  readonly #damaged: boolean;

  constructor(groups: readonly string[], damaged: boolean) {
    this.#damaged = damaged;
    this.#groups = groups;
  }

  /** Acknowledged messages that some group lacks. */
  get awaitedCount(): number {
    return this.#awaited.size;
  }

  get sentCount(): number {
    return this.#sent.size;
  }

  sending(id: string, body: string, nowMs: number): void {
    assert(!this.#sent.has(id), 'every message is sent under an id of its own');
    this.#sent.set(id, { body, sentMs: nowMs, acknowledgedMs: undefined, groups: new Set() });
  }

  /** `sender` sends one at a time to a queue, or its sends are no sequence. */
  acknowledged(id: string, sender: string, queue: string, queueOffset: number, nowMs: number): void {
    const sent = this.#sent.get(id);
    assert(sent !== undefined, 'what is acknowledged was sent');
    this.acknowledgedCount += 1;
    if (this.#damaged || this.#isOfThePast(queue, queueOffset, sent)) return;
    sent.acknowledgedMs = nowMs;
    const isVoid = queueOffset < (this.#voidEnds.get(queue) ?? 0);
    if (!isVoid && sent.groups.size < this.#groups.length) this.#awaited.add(id);
    this.#at(queue, queueOffset, id);
    const bySender = entryOf(this.#lastAcknowledged, queue);
    const last = bySender.get(sender) ?? -1;
    if (queueOffset <= last) {
      throw new Violation(`${id} was acknowledged at ${queue}/${queueOffset}, behind an earlier send at ${last}`);
    }
    bySender.set(sender, queueOffset);
  }

  delivered({ group, ordered, queue, queueOffset, body }: Delivery): void {
    const id = body.slice(0, body.indexOf(' '));
    const sent = this.#sent.get(id);
    if (sent === undefined) throw new Violation(`${group} got a message that nobody sent: ${body.slice(0, 80)}`);
    if (sent.body !== body) throw new Violation(`${group} got ${id} with another body`);
    this.deliveryCount += 1;
    sent.groups.add(group);
    if (sent.groups.size === this.#groups.length) this.#awaited.delete(id);
    if (queue === undefined || this.#damaged) return;
    const byGroup = entryOf(this.#frontiers, queue);
    const frontier = byGroup.get(group) ?? 0;
    if (this.#isOfThePast(queue, queueOffset, sent)) {
      this.#voidEnds.set(queue, Math.max(queueOffset + 1, this.#voidEnds.get(queue) ?? 0));
      if (ordered) byGroup.set(group, Math.max(frontier, queueOffset + 1));
      return;
    }
    this.#at(queue, queueOffset, id);
    if (!ordered) return;
    if (queueOffset > Math.max(frontier, this.#voidEnds.get(queue) ?? 0)) {
      throw new Violation(`${group}, which consumes in order, got ${queue}/${queueOffset} before ${frontier}`);
    }
    byGroup.set(group, Math.max(frontier, queueOffset + 1));
  }

  /** A message seen in a queue of the log itself. */
  stored(queue: string, queueOffset: number, body: string): void {
    const id = body.slice(0, body.indexOf(' '));
    const sent = this.#sent.get(id);
    if (sent?.body !== body) throw new Violation(`the log holds what nobody sent: ${body.slice(0, 80)}`);
    if (!this.#damaged && !this.#isOfThePast(queue, queueOffset, sent)) this.#at(queue, queueOffset, id);
  }

  /** Acknowledged messages that some group has not got, as `group id (places)`. */
  missing(): string[] {
    const missing: string[] = [];
    for (const id of this.#awaited) {
      const got = this.#sent.get(id)?.groups;
      const places = this.#placesOf(id).join(' ');
      for (const group of this.#groups) if (got?.has(group) !== true) missing.push(`${group} ${id} (${places})`);
    }
    return missing;
  }

  /** Places that clients were told of: queue → offset → the id of the message there. */
  get places(): ReadonlyMap<string, ReadonlyMap<number, string>> {
    return this.#places;
  }

  /**
   * Since `endedMs` a queue holds no more than the places below `end`: its broker lost the rest, all of which must have
   * been acknowledged after `safeUntilMs`, if at all.
   */
  survived(queue: string, end: number, endedMs: number, safeUntilMs: number): void {
    if (this.#damaged) return;
    if (safeUntilMs < Number.POSITIVE_INFINITY) entryOf(this.#ends, queue).set(endedMs, end);
    const places = this.#places.get(queue) ?? new Map<number, string>();
    for (const [offset, id] of places) {
      if (offset < end) continue;
      const sent = this.#sent.get(id);
      const acknowledgedMs = sent?.acknowledgedMs;
      if (acknowledgedMs !== undefined && acknowledgedMs <= safeUntilMs) {
        throw new Violation(
          `${id}, acknowledged at ${acknowledgedMs} ms at ${queue}/${offset}, is lost: ${end} is the end`,
        );
      }
      if (acknowledgedMs !== undefined) this.lostCount += 1;
      if (sent !== undefined) sent.acknowledgedMs = undefined;
      this.#awaited.delete(id);
      places.delete(offset);
      this.#voidEnds.set(queue, Math.max(offset + 1, this.#voidEnds.get(queue) ?? 0));
    }
    const frontiers = entryOf(this.#frontiers, queue);
    for (const [group, frontier] of frontiers) frontiers.set(group, Math.min(frontier, end));
    const lasts = entryOf(this.#lastAcknowledged, queue);
    for (const [sender, last] of lasts) lasts.set(sender, Math.min(last, end - 1));
  }

  /**
   * The message was sent before a process ended that lost this place: news of it may have been under way, or a retry
   * may have brought it there again. Nothing follows from it.
   */
  #isOfThePast(queue: string, queueOffset: number, { sentMs }: Sent): boolean {
    for (const [endedMs, end] of this.#ends.get(queue) ?? []) if (sentMs <= endedMs && queueOffset >= end) return true;
    return false;
  }

  #placesOf(id: string): string[] {
    return [...this.#places].flatMap(([queue, ids]) =>
      [...ids].filter(([, other]) => other === id).map(([offset]) => `${queue}/${offset}`),
    );
  }

  #at(queue: string, queueOffset: number, id: string): void {
    const places = entryOf(this.#places, queue);
    const known = places.get(queueOffset);
    if (known === undefined) places.set(queueOffset, id);
    else if (known !== id) throw new Violation(`${queue}/${queueOffset} held ${known} and now holds ${id}`);
  }
}

function entryOf<K, V>(maps: Map<string, Map<K, V>>, key: string): Map<K, V> {
  const known = maps.get(key);
  if (known !== undefined) return known;
  const added = new Map<K, V>();
  maps.set(key, added);
  return added;
}
