import { AssertionFailure } from '../common/mod.ts';
import type { Clock, Disk, Host, Log, Timer, Timers } from '../io/mod.ts';
import type { CommitLog } from './commit-log.ts';
import type { LogFiles } from './log-files.ts';
import type { MessageIndex } from './message-index.ts';
import type { Queues } from './queues.ts';
import type { StoreConfig } from './store-config.ts';
import type { Writeback } from './writeback.ts';

/**
 * Deletes what has expired, and guards the disk (RocketMQ: CleanCommitLogService). Every `cleanResourceInterval`:
 *
 *     used > warning ratio              sends are refused until it is back under
 *     used > forcible ratio             the oldest segments go, expired or not, until it is back under
 *     used > maximum, or a deleteWhen hour
 *                                       expired segments go: not written for `fileReservedTime`
 *
 * The last segment stays always. Queue and index files that only know deleted records follow, and the queues' first
 * offsets move up. The space is looked at even while a deletion is slow.
 */
export interface RetentionParts {
  disk: Disk;
  files: LogFiles;
  queues: Queues;
  index: MessageIndex;
  commitLog: CommitLog;
  writeback: Writeback;
  clock: Clock;
  host: Host;
  timers: Timers;
  log: Log;
  config: StoreConfig;
}

const hourMs = 3_600_000;
/** Queues whose first offset is corrected before other work gets its turn. */
const queuesAtOnce = 100;

export class Retention {
  readonly #parts: RetentionParts;
  #timer: Timer | undefined;
  #trouble: string | undefined;
  #cleaning: Promise<void> | undefined;
  #stopped = false;
  diskUsedRatio = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Why sends are refused. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async start(): Promise<void> {
    await this.#measure();
    this.#cleaning = this.#reported(this.#correct());
    this.#timer = this.#parts.timers.every(this.#period, () => void this.#run());
  }

  /** A full disk is looked at again soon: sends go on within seconds of space coming back. */
  get #period(): number {
    return Math.min(this.#parts.config.cleanResourceInterval, 2000);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#cleaning;
  }

  /** Measures, and says how full the disk is. */
  async diskUse(): Promise<string> {
    await this.#measure();
    return this.#sentence;
  }

  get #sentence(): string {
    return `disk ${percent(this.diskUsedRatio)} full at ${this.#parts.files.directory}`;
  }

  #sinceCleanMs = 0;

  async #run(): Promise<void> {
    await this.#measure();
    this.#sinceCleanMs += this.#period;
    if (this.#sinceCleanMs < this.#parts.config.cleanResourceInterval || this.#cleaning !== undefined) return;
    this.#sinceCleanMs = 0;
    this.#cleaning = this.#reported(this.#clean());
  }

  async #reported(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof Error) || error instanceof AssertionFailure) throw error;
      this.#parts.log.warn('store.retention.failed', { error: error.message }, 'old files could not be deleted');
    } finally {
      this.#cleaning = undefined;
    }
  }

  /** The ratios with RocketMQ's caps. */
  get #ratios() {
    const { config } = this.#parts;
    return {
      warning: clamp(config.diskSpaceWarningLevelRatio / 100, 0.35, 0.9),
      forcible: clamp(config.diskSpaceCleanForciblyRatio / 100, 0.3, 0.85),
      max: clamp(config.diskMaxUsedSpaceRatio / 100, 0.1, 0.95),
    };
  }

  async #measure(): Promise<void> {
    const { disk, files, log } = this.#parts;
    try {
      const { totalBytes, freeBytes } = await disk.space(files.directory);
      this.diskUsedRatio = totalBytes === 0 ? 0 : 1 - freeBytes / totalBytes;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      log.warn('store.retention.space', { error: error.message }, 'the free space is not known');
      return;
    }
    const { warning } = this.#ratios;
    const before = this.#trouble;
    this.#trouble = this.diskUsedRatio > warning ? `${this.#sentence}, the limit is ${percent(warning)}` : undefined;
    if (this.#trouble !== undefined && before === undefined) {
      log.error('store.disk.full', { usedRatio: this.diskUsedRatio }, this.#trouble);
    } else if (this.#trouble === undefined && before !== undefined) {
      log.info('store.disk.free', { usedRatio: this.diskUsedRatio }, 'the disk has space again');
    }
  }

  async #clean(): Promise<void> {
    const { config, files, log } = this.#parts;
    const { forcible, max } = this.#ratios;
    const used = this.#sentence;
    const force = config.cleanFileForciblyEnable && this.diskUsedRatio > forcible;
    if (!force && !(this.diskUsedRatio > max) && !this.#isHour()) return;
    let removed = 0;
    let early = 0;
    while (!this.#stopped && removed < config.deleteFileBatchMax && files.starts.length > 1) {
      if (!(await this.#isExpired(files.starts[0]))) {
        // Before its time only what is needed: the space is looked at after each.
        if (!force || !(this.diskUsedRatio > forcible)) break;
        early += 1;
      }
      await files.removeFirst();
      removed += 1;
      await this.#measure();
    }
    if (removed === 0) return;
    const fields = { segments: removed, beforeTheirTime: early, minOffset: files.minOffset };
    if (early > 0) log.warn('store.retention.forced', fields, `${used}: segments were deleted before their time`);
    else log.info('store.retention.deleted', fields, 'old commit log segments were deleted');
    await this.#correct();
  }

  #isHour(): boolean {
    const { clock, host, config } = this.#parts;
    const now = clock.wallMs();
    const hour = Math.floor((now + host.utcOffsetMinutes(now) * 60_000) / hourMs) % 24;
    return config.deleteWhen.split(';').some((text) => text.trim() !== '' && Number(text) === hour);
  }

  async #isExpired(start: number): Promise<boolean> {
    const { disk, files, clock, config, commitLog } = this.#parts;
    if (commitLog.durableOffset < start + files.segmentSize) return false;
    const { modifiedMs } = await disk.stat(files.pathOf(start));
    return clock.wallMs() - modifiedMs >= config.fileReservedTime * hourMs;
  }

  /** First offsets of the queues, and files that know only deleted records. */
  async #correct(): Promise<void> {
    const { files, queues, index, writeback, timers } = this.#parts;
    const min = files.minOffset;
    if (min === 0) return;
    await index.removeBelow(min);
    let count = 0;
    for (const queue of [...queues.table.queues()]) {
      if (this.#stopped) return;
      await writeback.exclusively(() => this.#correctQueue(queue, min));
      if (++count % queuesAtOnce === 0) await new Promise<void>((resolve) => timers.soon(resolve));
    }
  }

  async #correctQueue(queue: number, min: number): Promise<void> {
    const { queues } = this.#parts;
    const { table } = queues;
    if (!table.has(queue)) return;
    const topic = table.topicOf(queue);
    const before = table.minUnit[queue];
    const unit = before < table.visible[queue] ? await queues.unitAt(queue, before) : undefined;
    if (unit !== undefined && unit.physicalOffset >= min) return;
    const first = await queues.firstAtOrBeyond(queue, min, before, table.visible[queue]);
    if (first === before) return;
    table.minUnit[queue] = first;
    // The file that the next unit goes to stays.
    const { unitsPerFile } = queues.files;
    const kept = Math.min(first, table.fileUnits[queue] - 1);
    if (Math.floor(kept / unitsPerFile) === Math.floor(before / unitsPerFile)) return;
    await queues.files.removeBelow(topic.name, table.queueIds[queue], kept);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
