import { writeLooseJson } from '../common/mod.ts';
import { type Clock, type Disk, type Log, StateFile, type Timer, type Timers } from '../io/mod.ts';
import { decodeProperties, decodeRecord, PropertyName, type StoredMessage, SystemTopic } from '../message/mod.ts';
import type { GetResult, MessageStore, PutResult } from '../store/mod.ts';
import type { BrokerCounters } from './counters.ts';
import { type DataVersion, firstVersion, readVersion, stepVersion } from './data-version.ts';
import { asObject, fileBytes, readJsonState, unknownMembers } from './json-state.ts';
import type { MessageWriter } from './message-writer.ts';

/**
 * Delivers what lies in the schedule topic: queue n holds level n+1, so that each queue is in order of delivery, and one
 * position per level is all there is to remember (`config/delayOffset.json`: `{"offsetTable":{1:120,2:7}}`).
 *
 * A position moves on when the delivered message is durable. A crash in between delivers again: at least once.
 * (RocketMQ: ScheduleMessageService.)
 */
const pollPeriodMs = 100;
const savePeriodMs = 10_000;
/** Messages that one level delivers at a time. */
const burstMax = 32;

export interface DelayedDeliveryParts {
  readonly store: Pick<MessageStore, 'get' | 'minOffset' | 'maxOffset'>;
  readonly writer: MessageWriter;
  readonly counters: BrokerCounters;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly disk: Disk;
  readonly log: Log;
  /** Level n is item n−1. */
  readonly levelsMs: readonly number[];
}

interface Level {
  readonly queueId: number;
  readonly delayMs: number;
  /** The first offset not delivered yet. */
  offset: number;
  /** When the message at `nextOffset`, the first that is not due, will be: wall time. */
  nextMs: number;
  nextOffset: number;
  busy: boolean;
}

export class DelayedDelivery {
  readonly version: DataVersion;
  readonly #parts: DelayedDeliveryParts;
  readonly #file: StateFile;
  readonly #levels: Level[];
  /** Positions of levels that the configuration no longer has: it may have them again. */
  readonly #levelsGone = new Map<number, number>();
  /** Members of the file that this version does not know. */
  #unknown = '';
  readonly #repeating: Timer[] = [];
  #underWay: Promise<void> = Promise.resolve();
  #dirty = false;
  #closed = false;

  private constructor(parts: DelayedDeliveryParts, path: string) {
    this.#parts = parts;
    this.version = firstVersion(parts.clock);
    this.#levels = parts.levelsMs.map((delayMs, queueId) => ({
      queueId,
      delayMs,
      offset: 0,
      nextMs: 0,
      nextOffset: -1,
      busy: false,
    }));
    this.#file = new StateFile(
      parts.disk,
      path,
      () =>
        fileBytes(
          {
            dataVersion: writeLooseJson(this.version),
            offsetTable: writeLooseJson(
              new Map([
                ...this.#levelsGone,
                ...this.#levels.map(({ queueId, offset }) => [queueId + 1, offset] as const),
              ]),
            ),
          },
          this.#unknown,
          parts.timers,
        ),
      { keepPrevious: true },
    );
  }

  /** Reads the positions and begins to deliver. */
  static async start(parts: DelayedDeliveryParts, path: string): Promise<DelayedDelivery> {
    const delivery = new DelayedDelivery(parts, path);
    const json = await readJsonState(parts.disk, path);
    const offsets = asObject(json?.offsetTable) ?? {};
    for (const level of delivery.#levels) {
      const offset = offsets[String(level.queueId + 1)];
      // Clamped, since the log's end may have been cut after the file was written.
      const max = parts.store.maxOffset(SystemTopic.SCHEDULE, level.queueId);
      if (typeof offset === 'number') level.offset = Math.min(offset, max);
    }
    for (const [key, offset] of Object.entries(offsets)) {
      const level = Number(key);
      if (Number.isInteger(level) && typeof offset === 'number' && delivery.#levels[level - 1] === undefined) {
        delivery.#levelsGone.set(level, offset);
      }
    }
    delivery.#unknown = unknownMembers(json, ['dataVersion', 'offsetTable']);
    Object.assign(delivery.version, readVersion(json?.dataVersion));
    delivery.#repeating.push(
      parts.timers.every(pollPeriodMs, () => delivery.#poll()),
      parts.timers.every(savePeriodMs, () => delivery.#saveOrLog()),
    );
    return delivery;
  }

  /** `done,max` of each level, as administrators see it. */
  progress(): { level: number; offset: number; maxOffset: number }[] {
    return this.#levels.map(({ queueId, offset }) => ({
      level: queueId + 1,
      offset,
      maxOffset: this.#parts.store.maxOffset(SystemTopic.SCHEDULE, queueId),
    }));
  }

  /** Lets deliveries under way end, then writes the positions. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#repeating) timer.cancel();
    await this.#underWay;
    await this.#save();
  }

  #poll(): void {
    const nowMs = this.#parts.clock.wallMs();
    for (const level of this.#levels) {
      if (level.busy) continue;
      // The clock may have gone back: nothing waits longer than its own delay.
      if (level.nextMs > nowMs && level.nextMs <= nowMs + level.delayMs) continue;
      if (level.offset >= this.#parts.store.maxOffset(SystemTopic.SCHEDULE, level.queueId)) continue;
      level.busy = true;
      const run = this.#deliverDue(level)
        .catch((cause) => {
          this.#parts.log.error(
            'broker.delayed-delivery-failed',
            { level: level.queueId + 1, offset: level.offset, cause },
            `delay level ${level.queueId + 1} stops at ${level.offset} and is tried again`,
          );
        })
        .finally(() => {
          level.busy = false;
        });
      this.#underWay = Promise.all([this.#underWay, run]).then(() => undefined);
    }
  }

  async #deliverDue(level: Level): Promise<void> {
    const { store, clock } = this.#parts;
    while (!this.#closed) {
      const result = await store.get({
        topic: SystemTopic.SCHEDULE,
        queueId: level.queueId,
        offset: level.offset,
        maxMessages: burstMax,
      });
      try {
        if (result.status !== 'FOUND') {
          // What lies behind the beginning or beyond the end is gone.
          if (result.nextOffset !== level.offset) this.#moveTo(level, result.nextOffset);
          return;
        }
        const messages = recordsOf(result);
        const nowMs = clock.wallMs();
        // A stamp from a clock that has gone back since does not hold a message for longer than its delay.
        const dueMsOf = ({ queueOffset, storeTimestampMs }: StoredMessage) =>
          queueOffset === level.nextOffset
            ? Math.min(level.nextMs, nowMs + level.delayMs)
            : Math.min(storeTimestampMs, nowMs) + level.delayMs;
        const due = messages.filter((message) => dueMsOf(message) <= nowMs);
        await this.#deliver(level, due);
        if (due.length < messages.length) {
          level.nextMs = dueMsOf(messages[due.length]);
          level.nextOffset = messages[due.length].queueOffset;
          return;
        }
      } finally {
        result.release();
      }
    }
  }

  /** All at once: they are staged in their order. Throws at the first that could not be stored. */
  async #deliver(level: Level, messages: readonly StoredMessage[]): Promise<void> {
    const results = await Promise.all(messages.map((message) => this.#write(message)));
    for (const [index, { status, cause }] of results.entries()) {
      const { queueOffset } = messages[index];
      if (status === 'ok') this.#parts.counters.delayedDeliveredTotal++;
      else if (status !== 'message illegal') throw new Error(`${status}: ${cause ?? 'not stored'}`);
      else {
        // It never can be stored, and must not hold up what lies behind it.
        this.#parts.log.error(
          'broker.delayed-message-dropped',
          { level: level.queueId + 1, offset: queueOffset, cause },
          `dropped the message at ${queueOffset} of delay level ${level.queueId + 1}: ${cause}`,
        );
      }
      this.#moveTo(level, queueOffset + 1);
    }
  }

  #write(message: StoredMessage): Promise<Pick<PutResult, 'status' | 'cause'>> {
    const properties = decodeProperties(message.properties);
    const topic = properties.get(PropertyName.REAL_TOPIC);
    const queueId = Number(properties.get(PropertyName.REAL_QID));
    if (topic === undefined || !Number.isInteger(queueId) || queueId < 0 || topic === SystemTopic.TRANS_HALF) {
      const cause = `its properties REAL_TOPIC=${topic} and REAL_QID say no queue to go to`;
      return Promise.resolve({ status: 'message illegal', cause });
    }
    const { flag, sysFlag, bornTimestampMs, bornIp, bornPort, reconsumeTimes, body } = message;
    return new Promise((resolve) =>
      this.#parts.writer.write(
        {
          topic,
          queueId,
          flag,
          sysFlag,
          bornTimestampMs,
          bornIp,
          bornPort,
          reconsumeTimes,
          body,
          properties,
          // The position may only pass what cannot be lost.
          waitForDurable: true,
          afterDelay: true,
        },
        resolve,
      ),
    );
  }

  #moveTo(level: Level, offset: number): void {
    level.offset = offset;
    this.#dirty = true;
  }

  async #save(): Promise<void> {
    await this.#file.settled();
    if (!this.#dirty) return;
    this.#dirty = false;
    stepVersion(this.version, this.#parts.clock);
    try {
      await this.#file.save();
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  #saveOrLog(): void {
    this.#save().catch((cause) => {
      this.#parts.log.error('broker.delay-offsets-not-saved', { cause }, `cannot write ${this.#file.path}`);
    });
  }
}

function recordsOf(result: GetResult): StoredMessage[] {
  const messages: StoredMessage[] = [];
  for (const chunk of result.chunks) {
    for (let at = 0; at < chunk.length; ) {
      const message = decodeRecord(chunk, at);
      messages.push(message);
      at += message.sizeBytes;
    }
  }
  return messages;
}
