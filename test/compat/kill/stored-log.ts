// The files that a stopped broker left, walked without any of the store's code but the record codec: every message is
// in the log once, and every queue entry points at its record.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkRecord, decodeRecord } from '../../../src/message/mod.ts';
import { queueCount, topic } from './load.ts';
import { decodePayload } from './payload.ts';

const entrySize = 20;

/** Throws when log and queues do not agree; gives the number of the topic's messages. */
export function checkStoredLog(storeDir: string): number {
  const queues = Array.from({ length: queueCount }, (): { physicalOffset: number; sizeBytes: number }[] => []);
  const ids = new Set<number>();
  for (const record of records(path.join(storeDir, 'commitlog'))) {
    if (record.topic !== topic) {
      continue;
    }
    const id = decodePayload(record.body);
    if (ids.has(id)) {
      throw new Error(`the log holds message ${id} twice, the second time at ${record.physicalOffset}`);
    }
    ids.add(id);
    const queue = queues[record.queueId];
    if (record.queueOffset !== queue.length) {
      throw new Error(
        `the record at ${record.physicalOffset} has queue offset ${record.queueOffset}, not ${queue.length}`,
      );
    }
    queue.push(record);
  }
  for (const [queueId, expected] of queues.entries()) {
    checkEntries(path.join(storeDir, 'consumequeue', topic, String(queueId)), expected);
  }
  return ids.size;
}

function* records(directory: string) {
  for (const name of readdirSync(directory).sort()) {
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

function checkEntries(directory: string, expected: readonly { physicalOffset: number; sizeBytes: number }[]): void {
  const bytes = Buffer.concat(
    readdirSync(directory)
      .sort()
      .map((name) => readFileSync(path.join(directory, name))),
  );
  for (const [i, { physicalOffset, sizeBytes }] of expected.entries()) {
    const at = i * entrySize;
    if (Number(bytes.readBigInt64BE(at)) !== physicalOffset || bytes.readInt32BE(at + 8) !== sizeBytes) {
      throw new Error(`entry ${i} in ${directory} does not point at its record, ${physicalOffset}`);
    }
  }
  if (bytes.subarray(expected.length * entrySize).some((byte) => byte !== 0)) {
    throw new Error(`${directory} has entries beyond the log's ${expected.length}`);
  }
}
