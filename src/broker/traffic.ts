import type { Clock, Timer, Timers } from '../io/mod.ts';
import type { BrokerCounters } from './counters.ts';
import { MinuteRates } from './minute-rates.ts';
import type { Topic } from './topic.ts';

/**
 * Rates over the last 10 s, minute and ten minutes, and totals by day, as administrators' tools show them
 * (RocketMQ: StoreStatsService, BrokerStats); besides, rates by topic and by consumer group over the last minute. One
 * sample of the counters each 10 s; nothing is done per message.
 */
const samplePeriodMs = 10_000;
/** Ten minutes and the sample before them. */
const samplesMax = 61;
const windows = [1, 6, 60];

type Counted = 'messagesInTotal' | 'messagesOutTotal' | 'pullsFoundTotal' | 'pullsMissedTotal';

export interface DayTotals {
  yesterdayMorning: number;
  todayMorning: number;
  now: number;
}

export class Traffic {
  readonly #counters: Readonly<BrokerCounters>;
  readonly #topics: { all(): Iterable<Pick<Topic, 'topicName' | 'counters'>> };
  readonly #sent = new MinuteRates();
  readonly #pulled = new MinuteRates();
  readonly #clock: Clock;
  readonly #utcOffsetMinutes: (wallMs: number) => number;
  readonly #sampling: Timer;
  readonly #samples: { atMs: number; counters: Readonly<BrokerCounters> }[] = [];
  #day: number;
  /** At the last two midnights. */
  #yesterday: Readonly<BrokerCounters>;
  #today: Readonly<BrokerCounters>;

  constructor(
    counters: Readonly<BrokerCounters>,
    topics: { all(): Iterable<Pick<Topic, 'topicName' | 'counters'>> },
    ports: { clock: Clock; timers: Timers; utcOffsetMinutes: (wallMs: number) => number },
  ) {
    this.#counters = counters;
    this.#topics = topics;
    this.#clock = ports.clock;
    this.#utcOffsetMinutes = ports.utcOffsetMinutes;
    this.#day = this.#localDay();
    this.#yesterday = { ...counters };
    this.#today = this.#yesterday;
    this.#sample();
    this.#sampling = ports.timers.every(samplePeriodMs, () => {
      this.#sample();
      this.#nextWindow();
    });
  }

  close(): void {
    this.#sampling.cancel();
  }

  /** Events a second over 10 s, one and ten minutes; less while the broker is younger. */
  rates(...names: Counted[]): number[] {
    const newest = this.#samples.length - 1;
    return windows.map((count) => {
      const from = this.#samples[Math.max(0, newest - count)];
      const to = this.#samples[newest];
      if (to.atMs === from.atMs) return 0;
      let events = 0;
      for (const name of names) events += to.counters[name] - from.counters[name];
      return (events * 1000) / (to.atMs - from.atMs);
    });
  }

  /** A consumer group was given messages. */
  pulled(group: string, topic: string, messages: number): void {
    this.#pulled.count(pairOf(group, topic), messages);
  }

  /** Messages a second that came into the topic. */
  topicPutRate(topic: string): number {
    return this.#sent.perSecond(topic);
  }

  /** Messages a second of the topic that the group was given. */
  groupGetRate(group: string, topic: string): number {
    return this.#pulled.perSecond(pairOf(group, topic));
  }

  /** As counted since the start of the process. */
  dayTotals(name: Counted): DayTotals {
    return {
      yesterdayMorning: this.#yesterday[name],
      todayMorning: this.#today[name],
      now: this.#counters[name],
    };
  }

  #sample(): void {
    const counters = { ...this.#counters };
    this.#samples.push({ atMs: this.#clock.monotonicMs(), counters });
    if (this.#samples.length > samplesMax) this.#samples.shift();
    const day = this.#localDay();
    if (day === this.#day) return;
    this.#day = day;
    this.#yesterday = this.#today;
    this.#today = counters;
  }

  #nextWindow(): void {
    for (const { topicName, counters } of this.#topics.all()) {
      const sent = counters.messagesIn - counters.messagesInSampled;
      if (sent === 0) continue;
      counters.messagesInSampled = counters.messagesIn;
      this.#sent.count(topicName, sent);
    }
    this.#sent.nextWindow();
    this.#pulled.nextWindow();
  }

  #localDay(): number {
    const wallMs = this.#clock.wallMs();
    return Math.floor((wallMs + this.#utcOffsetMinutes(wallMs) * 60_000) / 86_400_000);
  }
}

/** As RocketMQ names it in its statistics. */
function pairOf(group: string, topic: string): string {
  return `${topic}@${group}`;
}
