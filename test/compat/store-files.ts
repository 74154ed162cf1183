// The files of a store, read without any of the store's code but the record codec: what is in the log, and what queues
// and index must hold because of it.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { javaHash } from '../../src/common/mod.ts';
import { checkRecord, decodeProperties, decodeRecord, type StoredMessage } from '../../src/message/mod.ts';

const unitSize = 20;
const indexHeaderSize = 40;
const indexSlotSize = 4;
const indexEntrySize = 20;
const transactionBits = 0xc;
const committed = 0x8;
const rolledBack = 0xc;

export type QueueUnit = { physicalOffset: number; sizeBytes: number; tagsCode: number };

/** Every record of the log in its order, checksums checked, up to the first zeros. Throws for anything else. */
export function* logRecords(storeDir: string): Generator<StoredMessage> {
  const directory = path.join(storeDir, 'commitlog');
  for (const name of namesIn(directory)) {
    const file = readFileSync(path.join(directory, name));
    for (let at = 0; at < file.length; ) {
      const check = checkRecord(file, at, file.length - at, { checkCrc: true });
      if (check.kind === 'end') {
        break;
      }
      if (check.kind === 'record') {
        const record = decodeRecord(file, at);
        if (record.physicalOffset !== Number(name) + at) {
          throw new Error(`the record at ${Number(name) + at} says that it is at ${record.physicalOffset}`);
        }
        yield record;
      } else if (check.kind !== 'blank') {
        throw new Error(`${name} at ${at}: ${JSON.stringify(check)}`);
      }
      at += check.sizeBytes;
    }
  }
}

/** Half messages that carry transaction bits are in no queue. */
export function hasUnit(record: Pick<StoredMessage, 'sysFlag'>): boolean {
  const bits = record.sysFlag & transactionBits;
  return bits === 0 || bits === committed;
}

/** The entry that the record must have in its queue. */
export function unitOf(record: StoredMessage, delayLevelsMs: readonly number[]): QueueUnit {
  const { physicalOffset, sizeBytes } = record;
  const properties = decodeProperties(record.properties);
  if (record.topic === 'SCHEDULE_TOPIC_XXXX') {
    const delayMs = delayLevelsMs[Number(properties.get('DELAY')) - 1];
    return { physicalOffset, sizeBytes, tagsCode: record.storeTimestampMs + delayMs };
  }
  const tags = properties.get('TAGS');
  return { physicalOffset, sizeBytes, tagsCode: tags === undefined ? 0 : javaHash(tags) };
}

/** Topic and queue id of every queue that has files. */
export function queuesWithFiles(storeDir: string): { topic: string; queueId: number }[] {
  const directory = path.join(storeDir, 'consumequeue');
  return namesIn(directory).flatMap((topic) =>
    namesIn(path.join(directory, topic)).map((queueId) => ({ topic, queueId: Number(queueId) })),
  );
}

/** A queue's entries from its first file on, and the offset of the first; blanks and what was never written are null. */
export function queueUnits(
  storeDir: string,
  { topic, queueId }: { topic: string; queueId: number },
): { first: number; units: (QueueUnit | null)[] } {
  const directory = path.join(storeDir, 'consumequeue', topic, String(queueId));
  const names = namesIn(directory);
  const bytes = Buffer.concat(names.map((name) => readFileSync(path.join(directory, name))));
  const units: (QueueUnit | null)[] = [];
  for (let at = 0; at < bytes.length; at += unitSize) {
    const sizeBytes = bytes.readInt32BE(at + 8);
    units.push(
      sizeBytes === 0 || sizeBytes === 0x7fff_ffff
        ? null
        : {
            physicalOffset: Number(bytes.readBigInt64BE(at)),
            sizeBytes,
            tagsCode: Number(bytes.readBigInt64BE(at + 12)),
          },
    );
  }
  return { first: Number(names[0] ?? 0) / unitSize, units };
}

/** What the index must find the record by. */
export function indexTextsOf(record: StoredMessage): string[] {
  if ((record.sysFlag & transactionBits) === rolledBack) {
    return [];
  }
  const properties = decodeProperties(record.properties);
  const keys = (properties.get('KEYS') ?? '').split(' ').filter((key) => key !== '');
  const unique = properties.get('UNIQ_KEY');
  const tags = properties.get('TAGS');
  return [
    ...(unique === undefined ? [] : [unique]),
    ...keys,
    ...(tags === undefined || tags === '' ? [] : [`T#${tags}`]),
  ].map((key) => `${record.topic}#${key}`);
}

/** The index files; `find` gives the physical offsets of all records that may be meant. */
export function readIndex(storeDir: string, slotCount: number): { files: number; find(text: string): number[] } {
  const directory = path.join(storeDir, 'index');
  const files = namesIn(directory).map((name) => readFileSync(path.join(directory, name)));
  const find = (text: string) => {
    const hash = Math.abs(javaHash(text));
    return files.flatMap((file) => {
      const found: number[] = [];
      let entry = file.readInt32BE(indexHeaderSize + (hash % slotCount) * indexSlotSize);
      while (entry > 0 && entry < file.readInt32BE(36)) {
        const at = indexHeaderSize + slotCount * indexSlotSize + entry * indexEntrySize;
        if (file.readInt32BE(at) === hash) {
          found.push(Number(file.readBigInt64BE(at + 4)));
        }
        const previous = file.readInt32BE(at + 16);
        if (previous >= entry) {
          throw new Error(`the index chain of ${text} goes from ${entry} to ${previous}`);
        }
        entry = previous;
      }
      return found;
    });
  };
  return { files: files.length, find };
}

/** Every file below the given paths, by name. */
export function filesBelow(storeDir: string, paths: readonly string[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const visit = (name: string) => {
    const stat = statSync(path.join(storeDir, name), { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const entry of namesIn(path.join(storeDir, name))) {
        visit(path.join(name, entry));
      }
    } else if (stat !== undefined) {
      found.set(name, readFileSync(path.join(storeDir, name)));
    }
  };
  for (const name of paths) {
    visit(name);
  }
  return found;
}

/** In order; none where there is no such directory. */
function namesIn(directory: string): string[] {
  return statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory).sort();
}
