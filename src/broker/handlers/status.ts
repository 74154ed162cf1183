/** What the broker says of itself: run-time figures (28) and configuration (26). */
import { type ConfigRow, writeLooseJson, writeProperties } from '../../common/mod.ts';
import type { Clock } from '../../io/mod.ts';
import { decodeRecord } from '../../message/mod.ts';
import type { HandlersOf } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';
import type { BrokerCounters } from '../counters.ts';
import type { DataVersion } from '../data-version.ts';
import type { DelayedDelivery } from '../delayed-delivery.ts';
import type { Traffic } from '../traffic.ts';
import { jsonBody } from './bodies.ts';

export function statusHandlers(parts: {
  readonly store: Pick<MessageStore, 'health' | 'recordAt'>;
  readonly delayed: DelayedDelivery;
  readonly counters: BrokerCounters;
  readonly traffic: Traffic;
  readonly clock: Clock;
  readonly config: Readonly<Record<string, string | number | boolean>>;
  readonly rows: readonly ConfigRow[];
  readonly version: DataVersion;
}): HandlersOf<'broker', 'getBrokerRuntimeInfo' | 'getBrokerConfig'> {
  const { store, delayed, counters, traffic, clock, config, rows, version } = parts;
  const bootMs = clock.wallMs();
  const bootMonotonicMs = clock.monotonicMs();
  return {
    /** Requests do not queue for threads and there is no lock to wait for: what tells of those is always zero. */
    async getBrokerRuntimeInfo() {
      const health = store.health();
      const put = traffic.dayTotals('messagesInTotal');
      const got = traffic.dayTotals('messagesOutTotal');
      const isEmpty = health.minPhysicalOffset >= health.writtenOffset;
      const oldest = isEmpty ? undefined : await store.recordAt(health.minPhysicalOffset);
      const table: Record<string, string> = {
        brokerActive: 'true',
        // The release whose protocol is spoken: tools compare it.
        brokerVersionDesc: 'V5_5_0',
        brokerVersion: '513',
        bootTimestamp: String(bootMs),
        runtime: durationText(clock.monotonicMs() - bootMonotonicMs),
        msgPutTotalYesterdayMorning: String(put.yesterdayMorning),
        msgPutTotalTodayMorning: String(put.todayMorning),
        msgPutTotalTodayNow: String(put.now),
        msgGetTotalYesterdayMorning: String(got.yesterdayMorning),
        msgGetTotalTodayMorning: String(got.todayMorning),
        msgGetTotalTodayNow: String(got.now),
        putTps: rateText(traffic.rates('messagesInTotal')),
        getTransferredTps: rateText(traffic.rates('messagesOutTotal')),
        getFoundTps: rateText(traffic.rates('pullsFoundTotal')),
        getMissTps: rateText(traffic.rates('pullsMissedTotal')),
        getTotalTps: rateText(traffic.rates('pullsFoundTotal', 'pullsMissedTotal')),
        earliestMessageTimeStamp: String(oldest === undefined ? -1 : decodeRecord(oldest, 0).storeTimestampMs),
        // As of a broker with timerWheelEnable=false.
        timerReadBehind: '0',
        timerOffsetBehind: '0',
        timerCongestNum: '0',
        timerEnqueueTps: '0.0',
        timerDequeueTps: '0.0',
        pageCacheLockTimeMills: '0',
        putMessageTimesTotal: String(counters.messagesInTotal),
        putMessageFailedTimes: String(counters.sendFailuresTotal),
        putMessageSizeTotal: String(counters.bytesInTotal),
        putMessageAverageSize: String(counters.bytesInTotal / Math.max(1, counters.messagesInTotal)),
        dispatchBehindBytes: String(health.dispatchBehindBytes),
        remainHowManyDataToFlush: `${health.writtenOffset - health.flushedOffset} B`,
        startAcceptSendRequestTimeStamp: String(config.startAcceptSendRequestTimeStamp),
        commitLogDiskRatio: String(health.diskUsedRatio),
        consumeQueueDiskRatio: String(health.diskUsedRatio),
        commitLogMinOffset: String(health.minPhysicalOffset),
        commitLogMaxOffset: String(health.maxPhysicalOffset),
      };
      for (const pool of ['send', 'pull', 'litePull', 'query', 'ack']) {
        table[`${pool}ThreadPoolQueueSize`] = '0';
        table[`${pool}ThreadPoolQueueHeadWaitTimeMills`] = '0';
      }
      for (const { level, offset, maxOffset } of delayed.progress()) {
        if (maxOffset > 0) table[`scheduleMessageOffset_${level}`] = `${offset},${maxOffset}`;
      }
      return { body: jsonBody({ table }) };
    },

    getBrokerConfig() {
      const properties = new Map(rows.map(({ name }) => [name, String(config[name])]));
      return { fields: { version: writeLooseJson(version) }, body: Buffer.from(writeProperties(properties), 'utf8') };
    },
  };
}

/** `10s 60s 600s`, as Java brokers print it. */
function rateText(rates: readonly number[]): string {
  return rates.map((rate) => rate.toFixed(2)).join(' ');
}

/** As Java brokers print it. */
function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`;
}
