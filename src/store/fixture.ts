import { javaHash, readConfig } from '../common/mod.ts';
import type { Disk, Host } from '../io/mod.ts';
import { decodeRecord, tagsCodeOf } from '../message/mod.ts';
import { type SimNode, SimWorld } from '../testing/mod.ts';
import {
  type Get,
  type GetResult,
  type MessageStore,
  openStore,
  type Put,
  type PutResult,
  storeConfigRows,
} from './mod.ts';

/** What the store's tests share: a store on a simulated machine. */
export async function inWorld(
  seed: number,
  body: (node: SimNode, world: SimWorld) => Promise<void>,
  limitMs?: number,
): Promise<void> {
  const world = new SimWorld({ seed });
  await world.run(() => body(world.node('broker'), world), limitMs);
}

export type Settings = Partial<Record<(typeof storeConfigRows)[number]['name'], string | number | boolean>>;

/** Files are small, so that they roll often; the index too. */
export function open(node: SimNode, settings: Settings = {}): Promise<MessageStore> {
  return openStore({ ...node.env, config: configOf(settings), storeHost: ipv4Host, tailSizeMax: 1 << 20 });
}

/** The same in the shortest time: no timer ever runs, and little memory is taken. */
export function openInMemory(disk: Disk, settings: Settings = {}, storeHost = ipv4Host): Promise<MessageStore> {
  const timer = { cancel: () => {} };
  const timers = {
    after: () => timer,
    every: () => timer,
    soon: (run: () => void) => void Promise.resolve().then(run),
  };
  const clock = { monotonicMs: () => 0, wallMs: () => 1_700_000_001_000 };
  const host = { ...quietHost, memoryTotalBytes: 1 << 22 };
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const config = configOf(settings);
  return openStore({ disk, timers, clock, host, log: silent, config, storeHost, tailSizeMax: 1 << 16 });
}

const ipv4Host = { ip: new Uint8Array([10, 0, 0, 1]), port: 10911 };

const quietHost: Host = {
  pid: 4711,
  hostname: 'memory',
  memoryTotalBytes: 0,
  environment: () => undefined,
  interfaces: () => [],
  utcOffsetMinutes: () => 0,
  fileDescriptors: () => undefined,
  memory: () => ({ residentBytes: 0, heapBytes: 0 }),
  cpuSeconds: () => 0,
  eventLoopDelayMs: () => undefined,
};

function configOf(settings: Settings) {
  const all: Settings = {
    storePathRootDir: '/store',
    mappedFileSizeCommitLog: 1 << 20,
    mappedFileSizeConsumeQueue: 2000,
    maxHashSlotNum: 64,
    maxIndexNum: 100,
    ...settings,
  };
  const properties = new Map(Object.entries(all).map(([name, value]) => [name, String(value)]));
  const { values, refusals } = readConfig(storeConfigRows, properties);
  if (refusals.length > 0) throw new Error(refusals.join('; '));
  return values;
}

export function messageOf(
  message: { topic?: string; queueId?: number; body?: string; tags?: string; keys?: string; sysFlag?: number } = {},
): Put {
  const { topic = 'topic', queueId = 0, body = 'body', tags, keys, sysFlag = 0 } = message;
  let properties = '';
  if (keys !== undefined) properties += `KEYS\u0001${keys}\u0002`;
  if (tags !== undefined) properties += `TAGS\u0001${tags}\u0002`;
  const keyHashes = (keys?.split(' ') ?? []).map((key) => javaHash(`${topic}#${key}`));
  if (tags !== undefined) keyHashes.push(javaHash(`${topic}#T#${tags}`));
  return {
    topic,
    queueId,
    flag: 0,
    sysFlag,
    bornTimestampMs: 1_700_000_000_000,
    bornIp: new Uint8Array([10, 0, 0, 9]),
    bornPort: 40_000,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from(body, 'utf8'),
    properties: Buffer.from(properties, 'utf8'),
    tagsCode: tagsCodeOf(tags),
    keyHashes,
    waitForDurable: true,
  };
}

export function put(store: MessageStore, message: Put): Promise<PutResult> {
  return new Promise((resolve) => store.put(message, resolve));
}

export async function pull(store: MessageStore, query: Partial<Get> & { offset: number }): Promise<GetResult> {
  return await store.get({ topic: 'topic', queueId: 0, maxMessages: 32, ...query });
}

export function bodiesOf(result: GetResult): string[] {
  return recordsOf(result).map(({ body }) => Buffer.from(body).toString('utf8'));
}

export function recordsOf(result: GetResult) {
  const bytes = Buffer.concat(result.chunks);
  const records = [];
  for (let at = 0; at < bytes.length; ) {
    const record = decodeRecord(bytes, at);
    records.push(record);
    at += record.sizeBytes;
  }
  return records;
}
