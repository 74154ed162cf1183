/** Compares the index files with what an index built anew from the log would hold. */
import { javaHash, readI64 } from '../common/mod.ts';
import { decodeProperties, type StoredMessage } from '../message/mod.ts';
import { Violation } from './history.ts';
import type { SimDisk } from './sim-disk.ts';

const headerBytes = 40;
const entryBytes = 20;
/** As the simulated brokers are configured: small, so that files are rolled. */
export const indexSlotCount = 100;
export const indexEntryCountMax = 400;

/** Throws Violation where a key of the log is not found, or a chain leads to a record that has no such key. */
export function checkIndex(disk: SimDisk, directory: string, records: readonly StoredMessage[]): void {
  const wanted = new Map<string, string>();
  for (const record of records) {
    for (const key of keysOf(record)) {
      wanted.set(`${hashOf(`${record.topic}#${key}`)} ${record.physicalOffset}`, `${record.topic}#${key}`);
    }
  }
  const found = new Set<string>();
  for (const name of disk.namesIn(directory)) readFile(disk.peek(`${directory}/${name}`), name, found);
  for (const [entry, key] of wanted) {
    if (!found.has(entry)) throw new Violation(`the index does not know the key ${key} (hash and offset ${entry})`);
  }
  for (const entry of found) {
    if (!wanted.has(entry))
      throw new Violation(`the index leads to a record without such a key (hash and offset ${entry})`);
  }
}

/** The unique key, the user's keys, and the tag under a name of its own. */
function keysOf({ properties }: StoredMessage): string[] {
  const map = decodeProperties(properties);
  const unique = map.get('UNIQ_KEY');
  const tag = map.get('TAGS');
  const keys = (map.get('KEYS') ?? '').split(' ').filter((key) => key !== '');
  return [...(unique === undefined ? [] : [unique]), ...keys, ...(tag === undefined ? [] : [`T#${tag}`])];
}

/** RocketMQ: IndexFile.indexKeyHashMethod. */
function hashOf(text: string): number {
  return Math.max(0, Math.abs(javaHash(text) | 0) | 0);
}

/** Adds `hash offset` of every entry that a chain reaches. */
function readFile(bytes: Uint8Array, name: string, found: Set<string>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entryCount = view.getInt32(36);
  for (let slot = 0; slot < indexSlotCount; slot++) {
    let entry = view.getInt32(headerBytes + slot * 4);
    while (entry > 0 && entry < entryCount) {
      const at = headerBytes + indexSlotCount * 4 + entry * entryBytes;
      const hash = view.getInt32(at);
      if (hash % indexSlotCount !== slot)
        throw new Violation(`index ${name}: the entry ${entry} is in the wrong chain`);
      found.add(`${hash} ${readI64(bytes, at + 4)}`);
      const before = view.getInt32(at + 16);
      if (before >= entry) throw new Violation(`index ${name}: a chain goes from ${entry} on to ${before}`);
      entry = before;
    }
  }
}
