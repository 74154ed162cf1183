// Reads the files that a real broker wrote (see README.md).

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { decodeProperties, type StoredMessage } from '../../src/message/mod.ts';

export const goldenStores = ['store-stopped', 'store-killed', 'store-ipv6', 'store-waiting'] as const;
export type GoldenStore = (typeof goldenStores)[number];

/** A record of the commit log as the official decoder reads it. */
export type ManifestRecord = {
  physicalOffset: number;
  sizeBytes: number;
  topic: string;
  queueId: number;
  queueOffset: number;
  flag: number;
  sysFlag: number;
  bornTimestampMs: number;
  /** Address in hex, colon, port. */
  bornHost: string;
  storeTimestampMs: number;
  storeHost: string;
  reconsumeTimes: number;
  preparedTransactionOffset: number;
  bodyHex: string;
  properties: Record<string, string>;
};

/** A record as our own decoder reads it, for comparison. */
export function manifestOf(message: StoredMessage): ManifestRecord {
  return {
    physicalOffset: message.physicalOffset,
    sizeBytes: message.sizeBytes,
    topic: message.topic,
    queueId: message.queueId,
    queueOffset: message.queueOffset,
    flag: message.flag,
    sysFlag: message.sysFlag,
    bornTimestampMs: message.bornTimestampMs,
    bornHost: host(message.bornIp, message.bornPort),
    storeTimestampMs: message.storeTimestampMs,
    storeHost: host(message.storeIp, message.storePort),
    reconsumeTimes: message.reconsumeTimes,
    preparedTransactionOffset: message.preparedTransactionOffset,
    bodyHex: Buffer.from(message.body).toString('hex'),
    properties: Object.fromEntries(decodeProperties(message.properties)),
  };
}

function host(ip: Uint8Array, port: number): string {
  return `${Buffer.from(ip).toString('hex')}:${port}`;
}

export function readManifest(store: GoldenStore): ManifestRecord[] {
  return String(readGolden(store, 'manifest.jsonl'))
    .trimEnd()
    .split('\n')
    .map((line): ManifestRecord => JSON.parse(line));
}

/** The bytes of one file of the store. */
export function readGolden(store: GoldenStore, file: string): Buffer {
  return gunzipSync(readFileSync(path.join(import.meta.dirname, store, `${file}.gz`)));
}

/** Names of the files in a folder of the store, in order. */
export function listGolden(store: GoldenStore, folder: string): string[] {
  return readdirSync(path.join(import.meta.dirname, store, folder))
    .map((name) => name.replace(/\.gz$/, ''))
    .sort();
}

/** A copy of the store as the broker left it, in a new directory. */
export function unpackGolden(store: GoldenStore): string {
  const target = mkdtempSync(path.join(os.tmpdir(), `liftmq-${store}-`));
  unpack(path.join(import.meta.dirname, store), target);
  return target;
}

function unpack(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) {
      unpack(source, path.join(to, entry.name));
    } else if (!entry.name.startsWith('manifest')) {
      writeFileSync(path.join(to, entry.name.replace(/\.(gz|br)$/, '')), inflated(source));
    }
  }
}

function inflated(file: string): Buffer {
  const bytes = readFileSync(file);
  if (file.endsWith('.br')) return brotliDecompressSync(bytes);
  return file.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}
