/** Looks at a broker's disk between the end of one process and the start of the next. */
import { JsonError, type JsonValue, parseLooseJson } from '../common/mod.ts';
import { Violation } from './history.ts';
import type { SimDisk } from './sim-disk.ts';

/** State files are always replaced as a whole: whenever a process ends, what is there can be read. Throws Violation. */
export function checkStateFiles(disk: SimDisk, root: string): void {
  for (const name of disk.namesIn(`${root}/config`)) {
    if (name.endsWith('.json')) readState(disk, `${root}/config/${name}`);
  }
}

/** No group has an offset behind the end of its queue; `ends` by `topic/queueId`. Throws Violation. */
export function checkCommitted(disk: SimDisk, root: string, topic: string, ends: ReadonlyMap<string, number>): void {
  const path = `${root}/config/consumerOffset.json`;
  const offsetTable = asObject(readState(disk, path))?.offsetTable;
  for (const [key, queues] of Object.entries(asObject(offsetTable) ?? {})) {
    if (!key.startsWith(`${topic}@`)) continue;
    for (const [queueId, offset] of Object.entries(asObject(queues) ?? {})) {
      const end = ends.get(`${topic}/${queueId}`) ?? 0;
      if (Number(offset) > end) {
        throw new Violation(`${key} has committed ${offset} of queue ${queueId}, of which only ${end} are durable`);
      }
    }
  }
}

function readState(disk: SimDisk, path: string): JsonValue | undefined {
  if (!disk.namesIn(path.slice(0, path.lastIndexOf('/'))).includes(path.slice(path.lastIndexOf('/') + 1)))
    return undefined;
  const text = Buffer.from(disk.peek(path)).toString('utf8');
  try {
    return parseLooseJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw new Violation(`${path} is torn: ${text.slice(0, 200)}`);
    throw error;
  }
}

function asObject(json: JsonValue | undefined): { readonly [name: string]: JsonValue } | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
}
