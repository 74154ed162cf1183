/** `liftmq store verify|dump|recover`: looks at a store, shows what is in it, repairs it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseProperties, readConfig } from '../src/common/mod.ts';
import type { Disk } from '../src/io/mod.ts';
import { createNodeEnv } from '../src/io/node/mod.ts';
import { decodeProperties, parseDelayLevels, type StoredMessage } from '../src/message/mod.ts';
import {
  type CutPlan,
  cutLog,
  type DumpFilter,
  dumpStore,
  type Findings,
  forgetDerived,
  isSound,
  openStoreFiles,
  planCut,
  type StoreFiles,
  StoreToolError,
  storeConfigRows,
  verifyStore,
} from '../src/store/mod.ts';
import { sentenceOf } from './failure.ts';
import { Progress, sizeText } from './progress.ts';

export interface StoreFlags {
  commitLog?: string;
  config?: string;
  json?: boolean;
}

export interface DumpFlags extends StoreFlags {
  topic?: string;
  queue?: number;
  from?: number;
  to?: number;
  since?: number;
  until?: number;
  offset?: number;
  limit?: number;
  body?: boolean;
}

export interface RecoverFlags extends StoreFlags {
  cut?: number;
  rebuild?: boolean;
  yes?: boolean;
}

/** The exit codes: all is well; something was found, or waits for --yes; it could not be done. */
const exitSound = 0;
const exitFound = 1;
const exitFailed = 2;

type Opened = StoreFiles & { close(): Promise<void> };

export async function verify(directory: string, flags: StoreFlags): Promise<void> {
  await withStore(directory, flags, false, async (store) => {
    const found = await look(store, flags);
    if (flags.json === true) console.log(JSON.stringify({ sound: isSound(found), ...found }));
    else console.log(report(store, found));
    return isSound(found) ? exitSound : exitFound;
  });
}

async function look(store: StoreFiles, flags: StoreFlags): Promise<Findings> {
  const { config } = settingsOf(flags);
  const progress = new Progress('verified');
  const delayLevelsMs = parseDelayLevels(config.messageDelayLevel);
  if (delayLevelsMs === undefined) throw new StoreToolError(`messageDelayLevel=${config.messageDelayLevel} is no list`);
  try {
    return await verifyStore(store, {
      delayLevelsMs,
      indexShape: { slotsMax: config.maxHashSlotNum, entriesMax: config.maxIndexNum },
      progress: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.end();
  }
}

function report({ root, log }: StoreFiles, found: Findings): string {
  const { damages, tornTail, queueFaults, queueFaultCount, indexFaults, indexFaultCount } = found;
  const lines = [`${root}: ${found.records} records from offset ${found.minOffset} to ${found.endOffset}`];
  if (found.isHeld) lines.push('a broker has it open: what lies behind its checkpoint was not looked at');
  else if (!found.isClosed) lines.push('it was left open: the next start recovers it');
  for (const { offset, why, next } of damages) {
    lines.push(
      `damaged   ${log.pathOf(log.startOf(offset))} at offset ${offset} (${why}); a valid record follows at ${next}`,
    );
  }
  if (tornTail !== undefined)
    lines.push(`torn tail at offset ${tornTail.offset} (${tornTail.why}): the next start cuts it off`);
  for (const { topic, queueId, queueOffset, physicalOffset, why } of queueFaults) {
    lines.push(`queue     ${topic}/${queueId} at ${queueOffset}, record at ${physicalOffset}: ${why}`);
  }
  if (queueFaultCount > queueFaults.length) lines.push(`queue     ${queueFaultCount - queueFaults.length} more`);
  for (const { file, why } of indexFaults) lines.push(`index     ${file === '' ? '' : `${file}: `}${why}`);
  if (indexFaultCount > indexFaults.length) lines.push(`index     ${indexFaultCount - indexFaults.length} more`);
  for (const path of found.damagedFiles) lines.push(`damaged   ${root}/${path} is no JSON, nor is its .bak`);
  if (found.pending > 0)
    lines.push(`${found.pending} records are not in their queues' files yet: the next start adds them`);
  if (found.ofDeletedTopics > 0) lines.push(`${found.ofDeletedTopics} records are of topics that were deleted`);
  lines.push(isSound(found) ? 'sound' : `not sound; this says what can be done: liftmq store recover ${root}`);
  return lines.join('\n');
}

export async function dump(directory: string, flags: DumpFlags): Promise<void> {
  // Whoever reads may have seen enough.
  process.stdout.on('error', () => process.exit(exitSound));
  await withStore(directory, flags, false, async (store) => {
    const progress = new Progress('read');
    let damaged = 0;
    await dumpStore(store, filterOf(flags), {
      record: async (record) => {
        progress.end();
        const text = flags.json === true ? JSON.stringify(fieldsOf(record, flags)) : lineOf(record, flags);
        if (!process.stdout.write(`${text}\n`)) await new Promise((resume) => process.stdout.once('drain', resume));
      },
      damage: ({ offset, why, next }) => {
        progress.end();
        if (next !== undefined) damaged += 1;
        const follows = next === undefined ? 'nothing valid follows' : `a valid record follows at ${next}`;
        console.error(`liftmq: damaged at offset ${offset} (${why}); ${follows}`);
      },
      progress: (done, total) => progress.update(done, total),
    });
    progress.end();
    return damaged === 0 ? exitSound : exitFound;
  });
}

function filterOf(flags: DumpFlags): DumpFilter {
  const range = (from: number | undefined, to: number | undefined) =>
    from === undefined && to === undefined ? undefined : ([from ?? 0, to ?? Number.MAX_SAFE_INTEGER] as const);
  return {
    topic: flags.topic,
    queueId: flags.queue,
    queueOffsets: range(flags.from, flags.to),
    times: range(flags.since, flags.until),
    offsets: range(flags.offset, undefined),
    countMax: flags.limit ?? Number.MAX_SAFE_INTEGER,
  };
}

function fieldsOf(record: StoredMessage, { body }: DumpFlags): Record<string, unknown> {
  return {
    offset: record.physicalOffset,
    size: record.sizeBytes,
    topic: record.topic,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    storeTime: new Date(record.storeTimestampMs).toISOString(),
    bornTime: new Date(record.bornTimestampMs).toISOString(),
    bornHost: hostText(record.bornIp, record.bornPort),
    storeHost: hostText(record.storeIp, record.storePort),
    sysFlag: record.sysFlag,
    flag: record.flag,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
    properties: Object.fromEntries(decodeProperties(record.properties)),
    bodySize: record.body.length,
    ...(body === true && { body: Buffer.from(record.body).toString('base64') }),
  };
}

function lineOf(record: StoredMessage, { body }: DumpFlags): string {
  const properties = decodeProperties(record.properties);
  const parts = [
    String(record.physicalOffset).padStart(20, '0'),
    `${record.topic}/${record.queueId}@${record.queueOffset}`,
    new Date(record.storeTimestampMs).toISOString(),
    `${record.body.length} bytes`,
  ];
  for (const name of ['TAGS', 'KEYS', 'UNIQ_KEY']) {
    const value = properties.get(name);
    if (value !== undefined) parts.push(`${name}=${JSON.stringify(value)}`);
  }
  if (body === true) parts.push(JSON.stringify(Buffer.from(record.body).toString('utf8')));
  return parts.join('  ');
}

function hostText(ip: Uint8Array, port: number): string {
  if (ip.length === 4) return `${ip.join('.')}:${port}`;
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(ip)
      .readUInt16BE(i * 2)
      .toString(16),
  );
  return `[${groups.join(':')}]:${port}`;
}

export async function recover(directory: string, flags: RecoverFlags): Promise<void> {
  await withStore(directory, flags, true, async (store, disk) => {
    const progress = new Progress('looked at');
    const told = (done: number, total: number) => progress.update(done, total);
    const plan = await planOf(store, flags, told);
    progress.end();
    const backup = `${store.root}/recovered-${new Date().toISOString().replace(/\D/g, '')}`;
    const work = { disk, pid: process.pid, backup, progress: told };
    const isDone = flags.yes === true && (plan.cut !== undefined || plan.rebuild);
    if (isDone) {
      if (plan.cut !== undefined) await cutLog(store, plan.cut, work);
      if (plan.rebuild) await forgetDerived(store, work);
      progress.end();
    }
    const result = { ...plan, done: isDone, backup: isDone ? backup : undefined };
    console.log(flags.json === true ? JSON.stringify(result) : planText(plan, isDone ? backup : undefined));
    return isDone || (plan.cut === undefined && !plan.rebuild) ? exitSound : exitFound;
  });
}

interface Plan {
  cut: CutPlan | undefined;
  rebuild: boolean;
}

/** What was asked for, or else what is wrong. */
async function planOf(
  store: StoreFiles,
  flags: RecoverFlags,
  progress: (done: number, total: number) => void,
): Promise<Plan> {
  if (flags.cut !== undefined) {
    return { cut: await planCut(store, flags.cut, progress), rebuild: flags.rebuild === true };
  }
  if (flags.rebuild === true) return { cut: undefined, rebuild: true };
  const { damages, queueFaultCount, indexFaultCount } = await look(store, flags);
  const [first] = damages;
  return {
    cut: first === undefined ? undefined : await planCut(store, first.offset, progress),
    rebuild: queueFaultCount > 0 || indexFaultCount > 0,
  };
}

function planText({ cut, rebuild }: Plan, backup: string | undefined): string {
  if (cut === undefined && !rebuild) return 'nothing to repair: what a crash leaves, the next start recovers';
  const lines: string[] = [];
  if (cut !== undefined) {
    lines.push(
      `cut the log at offset ${cut.offset}: ${cut.records} valid records behind it are lost with it (${sizeText(cut.bytes)})`,
    );
  }
  if (rebuild) lines.push('have queues and index built again from the log by the next start');
  if (backup === undefined)
    lines.push('Nothing was changed: add --yes to do it. What is taken away will be kept beside.');
  else lines.push(`Done. What was taken away is in ${backup}; start the broker to recover the store.`);
  return lines.join('\n');
}

function settingsOf({ config }: StoreFlags) {
  const properties = config === undefined ? new Map<string, string>() : parseProperties(readFileSync(config, 'utf8'));
  const { values } = readConfig(storeConfigRows, properties);
  return { config: values };
}

/** Sets the exit code; what goes wrong is said in a sentence. */
async function withStore(
  directory: string,
  flags: StoreFlags,
  hold: boolean,
  work: (store: Opened, disk: Disk) => Promise<number>,
): Promise<void> {
  try {
    const root = resolve(directory);
    const configured = settingsOf(flags).config.storePathCommitLog;
    const commitLog = flags.commitLog ?? (configured === '' ? undefined : configured);
    const { disk } = createNodeEnv({ log: { level: 'silent' } });
    const store = await openStoreFiles(disk, root, resolve(commitLog ?? `${root}/commitlog`), hold);
    try {
      process.exitCode = await work(store, disk);
    } finally {
      await store.close();
    }
  } catch (error) {
    const sentence = error instanceof StoreToolError ? error.message : sentenceOf(error);
    if (sentence === undefined) throw error;
    console.error(`liftmq: ${sentence}`);
    process.exitCode = exitFailed;
  }
}
