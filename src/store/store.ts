import { assert } from '../common/mod.ts';
import {
  type Clock,
  type DirectoryLock,
  type Disk,
  type Host,
  type Log,
  makeDurableDirectory,
  type Timers,
} from '../io/mod.ts';
import {
  checkRecord,
  decodeRecord,
  encodeRecord,
  isStorableTopicName,
  limits,
  parseDelayLevels,
  type RecordFields,
  recordHeadSize,
  recordSize,
  SystemTopic,
  storeTimestampOf,
} from '../message/mod.ts';
import { Checkpoints } from './checkpoint.ts';
import { CommitLog } from './commit-log.ts';
import { QueueFiles } from './consume-queue.ts';
import { Deletions } from './deletions.ts';
import { delayOf, hasIndexKeys, hasQueueUnit } from './dispatch.ts';
import { entryHash } from './index-file.ts';
import { LogFiles } from './log-files.ts';
import { LogTail } from './log-tail.ts';
import { MessageIndex } from './message-index.ts';
import { MessageReader } from './message-reader.ts';
import type {
  ArrivalListener,
  Get,
  GetResult,
  IndexQuery,
  MessageStore,
  Put,
  PutResult,
  StoreHealth,
} from './message-store.ts';
import { QueuePages } from './queue-pages.ts';
import { QueueTable } from './queue-table.ts';
import { Queues } from './queues.ts';
import { recover } from './recovery.ts';
import { Retention } from './retention.ts';
import { Scrub } from './scrub.ts';
import { illegal, refused, StagedBatch, StagedMessage } from './staged-put.ts';
import type { StoreConfig } from './store-config.ts';
import { forgetJava, markClosed, markOpen, readOpenMark, takeDirectory, wasOpenedByJava } from './store-directory.ts';
import { Writeback } from './writeback.ts';

export interface StoreOptions {
  disk: Disk;
  timers: Timers;
  clock: Clock;
  host: Host;
  log: Log;
  config: StoreConfig;
  /** What records say as their store host. */
  storeHost: { ip: Uint8Array; port: number };
  /** Bytes of the log's newest part in memory; scaled by the machine's memory when absent. */
  tailSizeMax?: number;
}

const tailSizeLow = 64 << 20;
const tailSizeHigh = 256 << 20;
const tailBlockSize = 4 << 20;
/** Of the machine's memory: one part in so many for the entries of queues, 20 bytes each. */
const pagesMemoryPart = 64;
const pageBytes = 160;
const indexStagedMax = 4_000_000;
/** Of the descriptors that a process may have, those for queue files. */
const queueFilesPart = 4;
const queueFilesLow = 64;
const queueFilesHigh = 4096;

/**
 * Opens the store in `config.storePathRootDir`, recovers it, and starts its background work.
 *
 * @throws Error whose sentence says why the directory cannot be used, naming the path and the way out.
 */
export async function openStore(options: StoreOptions): Promise<MessageStore> {
  const root = options.config.storePathRootDir;
  const lock = await takeDirectory(options.disk, root);
  try {
    const store = new Store(options, lock);
    await store.open();
    return store;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class Store implements MessageStore {
  readonly #options: StoreOptions;
  readonly #lock: DirectoryLock;
  readonly #files: LogFiles;
  readonly #tail: LogTail;
  readonly #log: CommitLog;
  readonly #queues: Queues;
  readonly #index: MessageIndex;
  readonly #reader: MessageReader;
  readonly #checkpoints: Checkpoints;
  readonly #deletions: Deletions;
  /** Topics whose deletion is under way. */
  readonly #deleting = new Set<string>();
  readonly #writeback: Writeback;
  readonly #retention: Retention;
  readonly #scrub: Scrub;
  readonly #delayLevelsMs: readonly number[];
  readonly #recordSizeMax: number;
  readonly #fields: RecordFields;
  readonly #listeners: ArrivalListener[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: StoreOptions, lock: DirectoryLock) {
    const { disk, timers, clock, host, log, config } = options;
    this.#options = options;
    this.#lock = lock;
    const root = config.storePathRootDir;
    const memory = host.memoryTotalBytes;
    const tailSizeMax = options.tailSizeMax ?? Math.max(tailSizeLow, Math.min(tailSizeHigh, Math.floor(memory / 128)));
    this.#files = new LogFiles(disk, config.storePathCommitLog || `${root}/commitlog`, config.mappedFileSizeCommitLog);
    this.#tail = new LogTail({ sizeMax: tailSizeMax, blockSize: Math.min(tailBlockSize, Math.ceil(tailSizeMax / 16)) });
    const table = new QueueTable();
    const descriptors = host.fileDescriptors()?.limit ?? queueFilesHigh;
    const openMax = Math.max(queueFilesLow, Math.min(queueFilesHigh, Math.floor(descriptors / queueFilesPart)));
    this.#queues = new Queues(
      table,
      new QueuePages(table, Math.max(1024, Math.floor(memory / pagesMemoryPart / pageBytes))),
      new QueueFiles(disk, `${root}/consumequeue`, { fileSize: config.mappedFileSizeConsumeQueue, openMax }),
    );
    this.#index = new MessageIndex({
      disk,
      host,
      directory: `${root}/index`,
      shape: { slotsMax: config.maxHashSlotNum, entriesMax: config.maxIndexNum },
      stagedMax: indexStagedMax,
    });
    this.#log = new CommitLog({
      files: this.#files,
      tail: this.#tail,
      timers,
      clock,
      log,
      syncFlush: config.flushDiskType === 'SYNC_FLUSH',
      flushIntervalMs: config.flushIntervalCommitLog,
      syncFlushTimeoutMs: config.syncFlushTimeout,
      stagedSizeMax: tailSizeMax / 2,
      unflushedMax: tailSizeMax / 2,
      onDurable: () => this.#writeback.durable(),
      diskUse: () => this.#retention.diskUse(),
    });
    this.#checkpoints = new Checkpoints(disk, root, this.#files);
    this.#deletions = new Deletions(disk, root);
    const parts = { queues: this.#queues, index: this.#index, files: this.#files, commitLog: this.#log };
    this.#writeback = new Writeback({
      ...parts,
      checkpoints: this.#checkpoints,
      deletions: this.#deletions,
      timers,
      clock,
      log,
      periodMs: config.flushIntervalConsumeQueue,
    });
    this.#scrub = new Scrub({
      files: this.#files,
      flushedOffset: () => this.#log.flushedOffset,
      timers,
      clock,
      log,
      periodMs: config.scrubPeriodHours * 3_600_000,
      bytesPerSecondMax: config.scrubBytesPerSecondMax,
    });
    this.#retention = new Retention({ ...parts, disk, clock, host, timers, log, config, writeback: this.#writeback });
    this.#reader = new MessageReader({
      queues: this.#queues,
      log: this.#log,
      files: this.#files,
      tail: this.#tail,
      config,
      memoryTotalBytes: memory,
    });
    const levels = parseDelayLevels(config.messageDelayLevel);
    if (levels === undefined)
      throw new Error(`messageDelayLevel=${config.messageDelayLevel}: must be like "1s 5s 10m"`);
    this.#delayLevelsMs = levels;
    this.#recordSizeMax = Math.min(
      config.maxMessageSize + limits.recordOverheadMax,
      config.mappedFileSizeCommitLog - segmentSpare,
    );
    this.#fields = { ...emptyFields, storeIp: options.storeHost.ip, storePort: options.storeHost.port };
  }

  async open(): Promise<void> {
    const { disk, log, config, host } = this.#options;
    const root = config.storePathRootDir;
    await disk.makeDirectory(`${root}/consumequeue`);
    await disk.makeDirectory(`${root}/index`);
    // Names are synced up to the root of the file system, those of all three with the last.
    await makeDurableDirectory(disk, this.#files.directory);
    if (!this.#files.directory.startsWith(`${root}/`)) await makeDurableDirectory(disk, `${root}/index`);
    const left = await readOpenMark(disk, root);
    const openedByJava = await wasOpenedByJava(disk, root);
    await this.#files.load(left !== 'by nobody');
    await markOpen(disk, root, host.pid, left === 'by us' ? 'by us' : 'by others');
    await this.#deletions.load();
    const recovered = await recover({
      root,
      files: this.#files,
      queues: this.#queues,
      index: this.#index,
      checkpoints: this.#checkpoints,
      deletions: this.#deletions,
      log,
      left,
      openedByJava,
      checkCrc: config.checkCRCOnRecover,
      delayLevelsMs: this.#delayLevelsMs,
      indexEnabled: config.messageIndexEnable && config.indexFileWriteEnable,
    });
    this.#log.start(recovered.end, recovered.lastTimestampMs);
    this.#writeback.start(recovered);
    await this.#writeback.first();
    const isOurs = this.#writeback.checkpointOffset === recovered.end;
    if (openedByJava && isOurs) await forgetJava(disk, root);
    if (left !== 'by us' && isOurs) await markOpen(disk, root, host.pid, 'by us');
    await this.#retention.start();
    this.#scrub.start();
  }

  put(message: Put, done: (result: PutResult) => void): void {
    const topic = this.#topicBytes(message.topic);
    const size = this.#sizeOf(message, topic);
    const refusal =
      this.#illegal(message, topic, size) ?? this.#unavailable(message.topic, size, 1, message.keyHashes.length);
    if (refusal !== undefined) {
      this.#options.timers.soon(() => done(refusal));
      return;
    }
    const offset = this.#log.place(size);
    const staged = this.#stageOne(message, topic, offset, this.#tail.at, size, done);
    staged.endOffset = this.#log.end;
    if (!message.waitForDurable) this.#options.timers.soon(() => staged.answer(staged));
    this.#log.stage(staged);
  }

  putBatch(messages: readonly Put[], done: (results: PutResult[]) => void): void {
    assert(messages.length > 0, 'a batch has messages');
    let total = 0;
    let keyCount = 0;
    const sizes: number[] = [];
    let refusal: PutResult | undefined;
    for (const message of messages) {
      assert(
        message.topic === messages[0].topic && message.queueId === messages[0].queueId,
        'a batch goes to one queue',
      );
      const topic = this.#topicBytes(message.topic);
      const size = this.#sizeOf(message, topic);
      refusal ??= this.#illegal(message, topic, size);
      sizes.push(size);
      total += size;
      keyCount += message.keyHashes.length;
    }
    const topic = this.#topicBytes(messages[0].topic);
    refusal ??=
      total > this.#recordSizeMax
        ? illegal(`a batch of ${total} bytes, the limit is ${this.#recordSizeMax}`)
        : undefined;
    refusal ??= this.#unavailable(messages[0].topic, total, messages.length, keyCount);
    if (refusal !== undefined) {
      const results = messages.map(() => refusal);
      this.#options.timers.soon(() => done(results));
      return;
    }
    let offset = this.#log.place(total);
    let at = this.#tail.at;
    const stagedMessages = messages.map((message, index) => {
      const staged = this.#stageOne(message, topic, offset, at, sizes[index], undefined);
      offset += sizes[index];
      at += sizes[index];
      return staged;
    });
    const batch = new StagedBatch(this, stagedMessages, done);
    batch.endOffset = this.#log.end;
    if (!messages[0].waitForDurable) this.#options.timers.soon(() => batch.answer('ok'));
    this.#log.stage(batch);
  }

  #topicBytes(topic: string): Uint8Array {
    return this.#queues.table.topic(topic)?.bytes ?? Buffer.from(topic, 'utf8');
  }

  #sizeOf(message: Put, topic: Uint8Array): number {
    const fields = this.#fields;
    fields.bornIp = message.bornIp;
    fields.body = message.body;
    fields.topic = topic;
    fields.properties = message.properties;
    return recordSize(fields);
  }

  #illegal(message: Put, topic: Uint8Array, size: number): PutResult | undefined {
    assert(Number.isInteger(message.queueId) && message.queueId >= 0, 'a queue id is a whole number from 0');
    if (topic.length === 0) return illegal('the topic is empty');
    const known = this.#queues.table.topic(message.topic) !== undefined;
    if (!known && !isStorableTopicName(message.topic))
      return illegal(`the topic name ${message.topic.slice(0, 255)} cannot be stored`);
    if (message.properties.length > limits.propertiesSizeMax) {
      return illegal(`properties of ${message.properties.length} bytes, the limit is ${limits.propertiesSizeMax}`);
    }
    const { maxMessageSize } = this.#options.config;
    if (message.body.length > maxMessageSize) {
      return illegal(`a body of ${message.body.length} bytes, the limit is ${maxMessageSize} (maxMessageSize)`);
    }
    if (size > this.#recordSizeMax) return illegal(`a record of ${size} bytes, the limit is ${this.#recordSizeMax}`);
    return undefined;
  }

  #unavailable(topic: string, size: number, count: number, keyCount: number): PutResult | undefined {
    if (this.#closing !== undefined) return refused('service not available', 'the broker is stopping');
    const trouble = this.#log.trouble ?? this.#retention.trouble;
    if (trouble !== undefined) return refused('service not available', trouble);
    if (this.#deleting.size > 0 && this.#deleting.has(topic)) {
      return refused('service not available', `the topic ${topic} is being deleted`);
    }
    const busy = this.#log.busy(size);
    if (busy !== undefined) return refused('busy', busy);
    if (!this.#queues.pages.hasRoom(count)) {
      this.#writeback.kick();
      return refused('busy', 'the queue entries that wait to be written fill their memory');
    }
    if (keyCount > 0 && !this.#index.hasRoom(keyCount)) {
      return refused('busy', `${this.#index.stagedCount} index entries wait to be written`);
    }
    return undefined;
  }

  /** Builds the record in the tail, and gives its queue the entry. */
  #stageOne(
    message: Put,
    topic: Uint8Array,
    offset: number,
    at: number,
    size: number,
    done: ((result: PutResult) => void) | undefined,
  ): StagedMessage {
    const { table, pages } = this.#queues;
    const hasUnit = hasQueueUnit(message.sysFlag);
    const queue = hasUnit ? table.findOrAdd(message.topic, message.queueId) : -1;
    const queueOffset = hasUnit ? table.nextUnit[queue] : 0;
    const storeTimestampMs = this.#log.nextTimestampMs();
    const fields = this.#fields;
    fields.queueId = message.queueId;
    fields.flag = message.flag;
    fields.queueOffset = queueOffset;
    fields.physicalOffset = offset;
    fields.sysFlag = message.sysFlag;
    fields.bornTimestampMs = message.bornTimestampMs;
    fields.bornIp = message.bornIp;
    fields.bornPort = message.bornPort;
    fields.storeTimestampMs = storeTimestampMs;
    fields.reconsumeTimes = message.reconsumeTimes;
    fields.preparedTransactionOffset = message.preparedTransactionOffset;
    fields.body = message.body;
    fields.topic = topic;
    fields.properties = message.properties;
    encodeRecord(this.#tail.bytes, at, fields);
    let { tagsCode } = message;
    if (message.topic === SystemTopic.SCHEDULE) {
      const delayMs = delayOf(message.queueId + 1, this.#delayLevelsMs);
      if (delayMs !== undefined) tagsCode = storeTimestampMs + delayMs;
    }
    if (hasUnit) pages.append(queue, offset, size, tagsCode);
    const { messageIndexEnable, indexFileWriteEnable } = this.#options.config;
    const indexed = messageIndexEnable && indexFileWriteEnable && hasIndexKeys(message.sysFlag);
    const staged = new StagedMessage(this, done);
    staged.physicalOffset = offset;
    staged.queueOffset = queueOffset;
    staged.sizeBytes = size;
    staged.storeTimestampMs = storeTimestampMs;
    staged.topic = hasUnit ? table.topicOf(queue) : undefined;
    staged.queue = queue;
    staged.tagsCode = tagsCode;
    if (indexed) staged.keyHashes = message.keyHashes;
    return staged;
  }

  /** A message became durable: queues and index know it, consumers may read it. */
  published(message: StagedMessage): void {
    const { topic, queue, queueOffset, keyHashes } = message;
    const { table } = this.#queues;
    for (let i = 0; i < keyHashes.length; i++) {
      this.#index.add(entryHash(keyHashes[i]), message.physicalOffset, message.storeTimestampMs);
    }
    const counted = topic !== undefined && table.has(queue) && table.topicOf(queue) === topic;
    this.#writeback.published(message, counted);
    // The topic may have been deleted meanwhile.
    if (!counted) return;
    table.visible[queue] = queueOffset + 1;
    this.#queues.markDirty(queue);
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i++) {
      listeners[i](topic.name, table.queueIds[queue], queueOffset, message.tagsCode);
    }
  }

  /** The log was cut back below a message, the newest first. */
  withdrawn({ topic, queue }: StagedMessage): void {
    const { table, pages } = this.#queues;
    if (topic !== undefined && table.has(queue) && table.topicOf(queue) === topic) pages.removeLast(queue);
  }

  get(query: Get): GetResult | Promise<GetResult> {
    return this.#reader.get(query);
  }

  onArrival(listener: ArrivalListener): void {
    this.#listeners.push(listener);
  }

  minOffset(topic: string, queueId: number): number {
    const queue = this.#queues.table.find(topic, queueId);
    return queue < 0 ? 0 : this.#queues.table.minUnit[queue];
  }

  maxOffset(topic: string, queueId: number): number {
    const queue = this.#queues.table.find(topic, queueId);
    return queue < 0 ? 0 : this.#queues.table.visible[queue];
  }

  inMemory(topic: string, queueId: number, queueOffset: number): boolean {
    const { table, pages } = this.#queues;
    const queue = table.find(topic, queueId);
    if (queue < 0 || queueOffset < table.minUnit[queue] || queueOffset >= table.visible[queue]) return false;
    const from = this.#log.end - this.#reader.memoryBytes;
    if (this.#files.minOffset >= from) return true;
    return pages.read(queue, queueOffset) && pages.physicalOffset >= from;
  }

  async offsetByTime(
    topic: string,
    queueId: number,
    timestampMs: number,
    boundary: 'lower' | 'upper',
  ): Promise<number> {
    const { table } = this.#queues;
    const queue = table.find(topic, queueId);
    if (queue < 0 || table.visible[queue] === table.minUnit[queue]) return 0;
    const max = table.visible[queue];
    // Lower: the first at or after the time. Upper: one before the first after the time.
    const limitMs = boundary === 'lower' ? timestampMs : timestampMs + 1;
    let low = table.minUnit[queue];
    let high = max;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const time = await this.timestampAt(topic, queueId, middle);
      if (time < limitMs) low = middle + 1;
      else high = middle;
    }
    return boundary === 'lower' ? low : Math.max(low === table.minUnit[queue] ? 0 : low - 1, 0);
  }

  earliestTimestampMs(topic: string, queueId: number): Promise<number> {
    return this.timestampAt(topic, queueId, this.minOffset(topic, queueId));
  }

  async timestampAt(topic: string, queueId: number, queueOffset: number): Promise<number> {
    const { table } = this.#queues;
    const queue = table.find(topic, queueId);
    if (queue < 0 || queueOffset < table.minUnit[queue] || queueOffset >= table.visible[queue]) return -1;
    const unit = await this.#queues.unitAt(queue, queueOffset);
    if (unit === undefined || unit.physicalOffset < this.#files.minOffset) return -1;
    const bytes = await this.#reader.bytesAt(unit.physicalOffset, Math.min(recordHeadSize, unit.sizeBytes));
    return storeTimestampOf(bytes, 0);
  }

  async recordAt(physicalOffset: number): Promise<Uint8Array | undefined> {
    const end = this.#log.durableOffset;
    if (!Number.isSafeInteger(physicalOffset) || physicalOffset < this.#files.minOffset) return undefined;
    const { segmentSize } = this.#files;
    for (let size = recordHeadSize; ; ) {
      const room = Math.min(end, this.#files.startOf(physicalOffset) + segmentSize) - physicalOffset;
      if (room < size) size = room;
      if (size <= 0 || !this.#files.has(physicalOffset)) return undefined;
      const bytes = await this.#reader.bytesAt(physicalOffset, size);
      const check = checkRecord(bytes, 0, bytes.length, { checkCrc: false });
      if (check.kind === 'short' && check.sizeBytes > size && check.sizeBytes <= Math.min(room, this.#recordSizeMax)) {
        size = check.sizeBytes;
        continue;
      }
      // A body may look like a record: one that is where it says is taken.
      if (check.kind !== 'record' || decodeRecord(bytes, 0).physicalOffset !== physicalOffset) return undefined;
      return bytes.subarray(0, check.sizeBytes);
    }
  }

  async queryIndex(query: IndexQuery) {
    const max = Math.min(query.maxMessages, this.#options.config.maxMsgsNumBatch);
    const text = `${query.topic}#${query.key}`;
    const { indexFileReadEnable } = this.#options.config;
    const range = [query.beginTimestampMs, query.endTimestampMs] as const;
    const offsets = indexFileReadEnable ? await this.#index.query(text, max, ...range) : [];
    const records: Uint8Array[] = [];
    for (const offset of offsets) {
      const record = await this.recordAt(offset);
      if (record !== undefined) records.push(record);
    }
    return {
      records,
      indexLastUpdateTimestampMs: this.#index.lastTimestampMs,
      indexLastUpdatePhysicalOffset: this.#index.lastPhysicalOffset,
    };
  }

  queuesOf(topic: string): number[] {
    const row = this.#queues.table.topic(topic);
    return row === undefined ? [] : [...row.queues.keys()].sort((a, b) => a - b);
  }

  topics(): string[] {
    return this.#queues.table.topicNames;
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#deleting.add(topic);
    try {
      await this.#writeback.deleteTopic(topic);
    } finally {
      this.#deleting.delete(topic);
    }
  }

  health(): StoreHealth {
    const cause =
      this.#closing === undefined ? (this.#log.trouble ?? this.#retention.trouble) : 'the broker is stopping';
    return {
      writable: cause === undefined,
      cause,
      diskUsedRatio: this.#retention.diskUsedRatio,
      minPhysicalOffset: this.#files.minOffset,
      maxPhysicalOffset: this.#log.end,
      writtenOffset: this.#log.writtenOffset,
      flushedOffset: this.#log.flushedOffset,
      dispatchBehindBytes: this.#log.end - this.#writeback.checkpointOffset,
      queueCount: this.#queues.table.count,
      scrub: this.#scrub.state,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { disk, config } = this.#options;
    await this.#scrub.stop();
    await this.#retention.stop();
    await this.#log.close();
    const whole = await this.#writeback.stop();
    await this.#files.close();
    await this.#queues.files.close();
    await this.#index.close();
    // What did not reach the disk is recovered at the next start, as after a crash.
    if (whole) await markClosed(disk, config.storePathRootDir);
    await this.#lock.release();
  }
}

/** Of a segment that no record may take: the blank behind it, and some. */
const segmentSpare = 64;

const emptyFields = {
  queueId: 0,
  flag: 0,
  queueOffset: 0,
  physicalOffset: 0,
  sysFlag: 0,
  bornTimestampMs: 0,
  bornIp: new Uint8Array(4),
  bornPort: 0,
  storeTimestampMs: 0,
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  body: new Uint8Array(0),
  topic: new Uint8Array(0),
  properties: new Uint8Array(0),
};
