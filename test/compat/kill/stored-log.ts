// The files that a stopped broker left: every message is in the log once, and every queue entry points at its record.

import { logRecords, queueUnits } from '../store-files.ts';
import { queueCount, topic } from './load.ts';
import { decodePayload } from './payload.ts';

/** Throws when log and queues do not agree; gives the number of the topic's messages. */
export function checkStoredLog(storeDir: string): number {
  const queues = Array.from({ length: queueCount }, (): { physicalOffset: number; sizeBytes: number }[] => []);
  const ids = new Set<number>();
  for (const record of logRecords(storeDir)) {
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
    checkUnits(storeDir, queueId, expected);
  }
  return ids.size;
}

function checkUnits(
  storeDir: string,
  queueId: number,
  expected: readonly { physicalOffset: number; sizeBytes: number }[],
): void {
  const { units } = queueUnits(storeDir, { topic, queueId });
  for (const [i, { physicalOffset, sizeBytes }] of expected.entries()) {
    if (units[i]?.physicalOffset !== physicalOffset || units[i].sizeBytes !== sizeBytes) {
      throw new Error(`entry ${i} of queue ${queueId} does not point at its record, ${physicalOffset}`);
    }
  }
  if (units.slice(expected.length).some((unit) => unit !== null)) {
    throw new Error(`queue ${queueId} has entries beyond the log's ${expected.length}`);
  }
}
