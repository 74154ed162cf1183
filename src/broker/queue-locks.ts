import type { Clock } from '../io/mod.ts';

/**
 * Which client of a group may consume a queue in order. A lock lasts a minute from its last renewal by its owner
 * (RocketMQ: RebalanceLockManager; clients renew every 20 s).
 */
const lockLifeMs = 60_000;
/** Locks of all groups together; further ones are not given. */
const locksMax = 200_000;

export interface MessageQueue {
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
}

interface Lock {
  clientId: string;
  renewedMs: number;
}

export class QueueLocks {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Map<string, Lock>>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes or renews what can be had, and gives those of `queues` that the client now owns. */
  lock(group: string, clientId: string, queues: readonly MessageQueue[]): MessageQueue[] {
    const nowMs = this.#clock.monotonicMs();
    const locks = this.#groups.get(group) ?? new Map<string, Lock>();
    const owned: MessageQueue[] = [];
    for (const queue of queues) {
      const key = keyOf(queue);
      const lock = locks.get(key);
      if (lock === undefined) {
        if (this.#size >= locksMax) continue;
        locks.set(key, { clientId, renewedMs: nowMs });
        this.#size++;
      } else if (lock.clientId === clientId || isExpired(lock, nowMs)) {
        lock.clientId = clientId;
        lock.renewedMs = nowMs;
      } else {
        continue;
      }
      owned.push(queue);
    }
    if (locks.size > 0) this.#groups.set(group, locks);
    return owned;
  }

  /** Gives up those that the client owns. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const locks = this.#groups.get(group);
    if (locks === undefined) return;
    for (const queue of queues) {
      const key = keyOf(queue);
      if (locks.get(key)?.clientId === clientId) this.#drop(group, locks, key);
    }
  }

  /** Whether anybody of the group consumes in order just now. */
  anyLive(group: string): boolean {
    const locks = this.#groups.get(group);
    if (locks === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    for (const lock of locks.values()) if (!isExpired(lock, nowMs)) return true;
    return false;
  }

  /** Drops what has expired, so that dead groups leave nothing behind. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [group, locks] of this.#groups) {
      for (const [key, lock] of locks) if (isExpired(lock, nowMs)) this.#drop(group, locks, key);
    }
  }

  #drop(group: string, locks: Map<string, Lock>, key: string): void {
    if (locks.delete(key)) this.#size--;
    if (locks.size === 0) this.#groups.delete(group);
  }
}

function isExpired(lock: Lock, nowMs: number): boolean {
  return nowMs - lock.renewedMs > lockLifeMs;
}

function keyOf(queue: MessageQueue): string {
  return `${queue.topic}@${queue.brokerName}@${queue.queueId}`;
}
