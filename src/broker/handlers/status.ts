/** What the broker says of itself: run-time figures (28) and configuration (26). */
import { type ConfigRow, writeLooseJson, writeProperties } from '../../common/mod.ts';
import type { Clock } from '../../io/mod.ts';
import type { HandlersOf } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';
import type { BrokerCounters } from '../counters.ts';
import type { DataVersion } from '../data-version.ts';
import type { DelayedDelivery } from '../delayed-delivery.ts';
import { jsonBody } from './bodies.ts';

export function statusHandlers(parts: {
  readonly store: Pick<MessageStore, 'health'>;
  readonly delayed: DelayedDelivery;
  readonly counters: BrokerCounters;
  readonly clock: Clock;
  readonly config: Readonly<Record<string, string | number | boolean>>;
  readonly rows: readonly ConfigRow[];
  readonly version: DataVersion;
}): HandlersOf<'broker', 'getBrokerRuntimeInfo' | 'getBrokerConfig'> {
  const { store, delayed, counters, clock, config, rows, version } = parts;
  const bootMs = clock.wallMs();
  const bootMonotonicMs = clock.monotonicMs();
  return {
    /** Only what is real here: there are no thread pools and no page cache lock to report. */
    getBrokerRuntimeInfo() {
      const health = store.health();
      const table: Record<string, string> = {
        brokerActive: 'true',
        // The release whose protocol is spoken: tools compare it.
        brokerVersionDesc: 'V5_5_0',
        brokerVersion: '513',
        bootTimestamp: String(bootMs),
        runtime: durationText(clock.monotonicMs() - bootMonotonicMs),
        msgPutTotalTodayNow: String(counters.messagesInTotal),
        msgGetTotalTodayNow: String(counters.messagesOutTotal),
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

/** As Java brokers print it. */
function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`;
}
