import type { Clock, Timer, Timers } from '../io/mod.ts';
import type { Peer } from '../remoting/mod.ts';

/**
 * Pulls that found nothing, held until a message comes or their time is up (RocketMQ: PullRequestHoldService).
 *
 * Arrivals of one turn of the event loop wake a pull once, at the end of the turn, so that it takes them together.
 * Besides, each is compared with the end of its queue every few seconds: what it skips by tag moves it on.
 */
export interface HeldPull {
  readonly peer: Peer;
  readonly topic: string;
  readonly queueId: number;
  /** What it waits for: a message at this offset or later. */
  readonly offset: number;
  /** By tags code; undefined: everything. */
  readonly accepts: ((tagsCode: number) => boolean) | undefined;
  readonly holdMs: number;
  /** One of the two runs, once: when a message came or the time is up… */
  readonly run: () => void;
  /** …or when the connection is gone. */
  readonly drop: () => void;
}

interface Held {
  readonly pull: HeldPull;
  readonly deadlineMs: number;
  /** When it is compared with the end of its queue next. */
  compareMs: number;
  woken: boolean;
}

/** Pulls held at once; beyond it they are answered at once. */
const heldMax = 200_000;
const comparePeriodMs = 5_000;
/** How far behind its time a pull may be answered or compared. */
const sweepPeriodMs = 500;

export class LongPolling {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #maxOffset: (topic: string, queueId: number) => number;
  /** Topic → queue id → held. */
  readonly #held = new Map<string, Map<number, Set<Held>>>();
  readonly #byPeer = new Map<number, Set<Held>>();
  readonly #sweeping: Timer;
  #woken: Held[] = [];
  #size = 0;
  #closed = false;

  constructor(ports: { clock: Clock; timers: Timers }, maxOffset: (topic: string, queueId: number) => number) {
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#maxOffset = maxOffset;
    this.#sweeping = ports.timers.every(sweepPeriodMs, () => this.#sweep());
  }

  get size(): number {
    return this.#size;
  }

  /** False when there is no room, or nobody to answer any more: the caller answers at once. */
  hold(pull: HeldPull): boolean {
    if (this.#closed || this.#size >= heldMax) return false;
    const ofPeer = this.#ofPeer(pull.peer);
    if (ofPeer === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    const held = { pull, deadlineMs: nowMs + pull.holdMs, compareMs: nowMs + comparePeriodMs, woken: false };
    let queues = this.#held.get(pull.topic);
    if (queues === undefined) {
      queues = new Map();
      this.#held.set(pull.topic, queues);
    }
    const ofQueue = queues.get(pull.queueId);
    if (ofQueue === undefined) queues.set(pull.queueId, new Set([held]));
    else ofQueue.add(held);
    ofPeer.add(held);
    this.#size++;
    return true;
  }

  /** For every message: cheap when nobody waits. */
  arrived(topic: string, queueId: number, queueOffset: number, tagsCode: number): void {
    const waiting = this.#held.get(topic)?.get(queueId);
    if (waiting === undefined) return;
    for (const held of waiting) {
      const { accepts, offset } = held.pull;
      if (held.woken || queueOffset < offset || (accepts !== undefined && !accepts(tagsCode))) continue;
      this.#wake(held);
    }
  }

  /** Answers all that is held, and holds nothing more. */
  close(): void {
    this.#closed = true;
    this.#sweeping.cancel();
    for (const queues of this.#held.values()) {
      for (const waiting of queues.values()) for (const held of waiting) if (!held.woken) this.#wake(held);
    }
  }

  #wake(held: Held): void {
    held.woken = true;
    if (this.#woken.length === 0) this.#timers.soon(() => this.#runWoken());
    this.#woken.push(held);
  }

  #runWoken(): void {
    const woken = this.#woken;
    this.#woken = [];
    for (const held of woken) if (this.#remove(held)) held.pull.run();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, queues] of this.#held) {
      for (const [queueId, waiting] of queues) {
        for (const held of waiting) {
          if (held.woken) continue;
          if (held.deadlineMs <= nowMs) this.#wake(held);
          else if (held.compareMs <= nowMs) {
            held.compareMs = nowMs + comparePeriodMs;
            if (this.#maxOffset(topic, queueId) > held.pull.offset) this.#wake(held);
          }
        }
      }
    }
  }

  /** The peer's pulls; undefined when the connection is gone. */
  #ofPeer(peer: Peer): Set<Held> | undefined {
    const known = this.#byPeer.get(peer.id);
    if (known !== undefined) return known;
    const held = new Set<Held>();
    this.#byPeer.set(peer.id, held);
    peer.onClose(() => {
      this.#byPeer.delete(peer.id);
      for (const one of held) if (this.#remove(one)) one.pull.drop();
    });
    return this.#byPeer.get(peer.id);
  }

  /** False when it was removed before. */
  #remove(held: Held): boolean {
    const { topic, queueId, peer } = held.pull;
    const queues = this.#held.get(topic);
    const waiting = queues?.get(queueId);
    if (queues === undefined || waiting === undefined || !waiting.delete(held)) return false;
    this.#size--;
    this.#byPeer.get(peer.id)?.delete(held);
    if (waiting.size === 0) {
      queues.delete(queueId);
      if (queues.size === 0) this.#held.delete(topic);
    }
    return true;
  }
}
