import { AssertionFailure } from '../common/mod.ts';
import { type Clock, DiskError, type Log, type Timer, type Timers } from '../io/mod.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import type { CommitLog } from './commit-log.ts';
import type { Deletions } from './deletions.ts';
import type { LogFiles } from './log-files.ts';
import type { MessageIndex } from './message-index.ts';
import type { PutResult } from './message-store.ts';
import type { Queues } from './queues.ts';
import type { Recovered } from './recovery.ts';

/**
 * Brings queues and index to the disk in the background, and then moves the checkpoint: write the entries of all
 * messages that are readable now; sync them, sync the log, write the checkpoint of that moment. The second half goes on
 * beside later rounds, since entries must leave memory in time, however many files there are to sync.
 *
 * A round begins `periodMs` after the last, later when rounds take long (they may use a fifth of the time), and at once
 * when much is staged.
 */
export interface WritebackParts {
  queues: Queues;
  index: MessageIndex;
  commitLog: CommitLog;
  checkpoints: Checkpoints;
  deletions: Deletions;
  files: LogFiles;
  timers: Timers;
  clock: Clock;
  log: Log;
  periodMs: number;
}

const restFactor = 4;
/** Readable messages since the last round that make the next one begin at once. */
const messagesBehindMax = 1_000_000;
/** Queue files that a stop waits for. */
const stopSyncsMax = 1000;
const poisonedSentence =
  'a sync of queues or index failed: the checkpoint stays where it is, and the next start builds again what came after';
/** Between looks at a log whose newest messages are to become durable. */
const durableLookMs = 5;
/** Rounds without work after which the index frees its memory. */
const idleRounds = 10;

export class Writeback {
  readonly #parts: WritebackParts;
  #timer: Timer | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #running = false;
  #stopped = false;
  /** Messages that became readable since the last round began. */
  #behind = 0;
  #idle = 0;
  /** The state that a checkpoint taken now would have. */
  #units = 0;
  #lastOffset = 0;
  #lastSize = 0;
  #lastTimestampMs = 0;
  #checkpointOffset = -1;
  /** The checkpoint that is on its way. */
  #moving: Promise<void> | undefined;

  constructor(parts: WritebackParts) {
    this.#parts = parts;
  }

  /** A sync failed: no checkpoint may pass what it should have brought to the disk. */
  get #isPoisoned(): boolean {
    return this.#parts.queues.files.isPoisoned || this.#parts.index.isPoisoned;
  }

  get checkpointOffset(): number {
    return Math.max(0, this.#checkpointOffset);
  }

  start(recovered: Recovered): void {
    this.#units = recovered.units;
    this.#lastOffset = recovered.lastOffset;
    this.#lastSize = recovered.lastSize;
    this.#lastTimestampMs = recovered.lastTimestampMs;
  }

  /** A message became readable; `counted` when a queue has it. */
  published(result: PutResult, counted: boolean): void {
    if (counted) this.#units += 1;
    this.#lastOffset = result.physicalOffset;
    this.#lastSize = result.sizeBytes;
    this.#lastTimestampMs = result.storeTimestampMs;
    this.#behind += 1;
  }

  /** A batch became readable. */
  durable(): void {
    if (this.#behind > messagesBehindMax) this.kick();
  }

  /** Begins a round now, unless one is under way. */
  kick(): void {
    if (!this.#running && !this.#stopped) void this.run();
  }

  /** One round. Never rejects: trouble is logged, and tried again with the next round. */
  run(): Promise<boolean> {
    this.#timer?.cancel();
    this.#running = true;
    return this.#exclusively(async () => {
      const beganMs = this.#parts.clock.monotonicMs();
      const done = await this.#round();
      this.#running = false;
      const tookMs = this.#parts.clock.monotonicMs() - beganMs;
      if (!this.#stopped) {
        const restMs = Math.max(this.#parts.periodMs, tookMs * restFactor);
        this.#timer = this.#parts.timers.after(restMs, () => void this.run());
      }
      return done;
    });
  }

  async #round(): Promise<boolean> {
    const { queues, index, commitLog } = this.#parts;
    const offset = commitLog.durableOffset;
    if (offset === this.#checkpointOffset) {
      this.#idle += 1;
      if (this.#idle === idleRounds) index.rest();
      return true;
    }
    this.#idle = 0;
    this.#behind = 0;
    const checkpoint: Checkpoint = {
      offset,
      units: this.#units,
      lastOffset: this.#lastOffset,
      lastSize: this.#lastSize,
      lastTimestampMs: this.#lastTimestampMs,
    };
    try {
      await queues.write();
      await index.write();
    } catch (error) {
      this.#report(error);
      return false;
    }
    // One that is under way covers an older state; the next round brings a newer one.
    this.#moving ??= this.#move(checkpoint).finally(() => {
      this.#moving = undefined;
    });
    return true;
  }

  /** Syncs what the checkpoint says, then writes it. With many queues this takes longer than rounds come. */
  async #move(checkpoint: Checkpoint): Promise<void> {
    const { queues, commitLog, checkpoints } = this.#parts;
    try {
      const mayGoOn = () => !this.#stopped || queues.files.unsyncedCount <= stopSyncsMax;
      if (!(await queues.files.sync(mayGoOn))) return;
      await commitLog.flush();
      if (this.#isPoisoned || commitLog.flushedOffset < checkpoint.offset) return;
      await checkpoints.write(checkpoint);
      this.#checkpointOffset = checkpoint.offset;
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (!(error instanceof Error) || error instanceof AssertionFailure) throw error;
    const { log } = this.#parts;
    const fields = { error: error.message, checkpointOffset: this.checkpointOffset };
    if (this.#isPoisoned) log.error('store.writeback.poisoned', fields, poisonedSentence);
    else log.warn('store.writeback.failed', fields, 'queues or index could not be written; the next round tries again');
  }

  /**
   * Removes a topic's queues, and lets the checkpoint know, so that recovery does not bring them back. The caller lets no
   * message to the topic through meanwhile. Rejects with DiskError: the topic may be there still.
   */
  deleteTopic(name: string): Promise<void> {
    return this.#exclusively(async () => {
      const { queues, commitLog, timers, deletions, files } = this.#parts;
      const topic = queues.table.topic(name);
      if (topic === undefined) return;
      // Its last messages on their way: what the deletion covers must not be lost with power and written anew.
      const { end } = commitLog;
      while (commitLog.durableOffset < end && commitLog.end >= end && !this.#stopped) {
        await new Promise<void>((resolve) => timers.after(durableLookMs, resolve));
      }
      await commitLog.flush();
      if (commitLog.flushedOffset < end) throw new DiskError('EIO', 'delete topic', files.directory);
      await deletions.add(name, end, files.minOffset);
      for (const queue of topic.queues.values()) this.#units -= queues.table.visible[queue];
      await this.#moving;
      await queues.removeTopic(name);
      this.#checkpointOffset = -1;
      await this.#round();
      await this.#moving;
    });
  }

  /** The round after recovery; ends when its checkpoint is written, so that the next start does not do it again. */
  async first(): Promise<void> {
    await this.run();
    await this.#moving;
  }

  /** Work that must not run beside a round. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#exclusively(work);
  }

  /**
   * The last round; gives whether everything is written. With very many queue files the checkpoint stays behind, and the
   * next start dispatches what came since: syncing them all would take minutes.
   */
  async stop(): Promise<boolean> {
    this.#stopped = true;
    this.#timer?.cancel();
    return await this.#exclusively(async () => {
      await this.#moving;
      const written = await this.#round();
      await this.#moving;
      const { flushedOffset, durableOffset } = this.#parts.commitLog;
      return written && !this.#isPoisoned && flushedOffset === durableOffset;
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#work.then(work, work);
    this.#work = run.catch(() => {});
    return run;
  }
}
