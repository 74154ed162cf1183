import { JsonError, type JsonObject, type JsonValue, parseLooseJson, writeLooseJson } from '../common/mod.ts';
import { type Disk, readStateFile, type Timers } from '../io/mod.ts';
import { bytesInSlices, membersOf } from './slices.ts';

/**
 * The broker's JSON files (`config/topics.json` and its kin), in RocketMQ's shape: an object whose big members are
 * tables. Tables are written one row a line, from texts that the rows keep, and in slices, so that a file of 50,000 rows
 * holds up nobody.
 */

/**
 * Reads a file, or its previous version where it is not JSON (RocketMQ: ConfigManager.load); the file is then moved away,
 * to `<path>.damaged`. Undefined when neither exists. Throws when there is something that cannot be read: going on without it would lose it.
 */
export async function readJsonState(disk: Disk, path: string): Promise<JsonObject | undefined> {
  const main = await readStateFile(disk, path);
  if (main === undefined || main.length === 0) return undefined;
  const json = parseObject(main);
  if (json !== undefined) return json;
  const backup = await readStateFile(disk, `${path}.bak`);
  const previous = backup === undefined ? undefined : parseObject(backup);
  if (previous === undefined) {
    throw new Error(
      `${path} is not a JSON object, and neither is ${path}.bak: repair it, or move it away to start anew`,
    );
  }
  // The next save keeps what is there as the previous version: this must not take the place of the good one.
  await disk.rename(path, `${path}.damaged`);
  return previous;
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const json = parseLooseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    return asObject(json);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

/** Undefined for what is no object. */
export function asObject(json: JsonValue | undefined): JsonObject | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
}

/**
 * What an object holds that this version does not know: `"a":1,"b":2`, empty when there is nothing. It is written again
 * as it was, so that whichever broker opens the store next finds it.
 */
export function unknownMembers(json: JsonObject | undefined, known: readonly string[]): string {
  const unknown = Object.entries(json ?? {}).filter(([key]) => !known.includes(key));
  return unknown.length === 0 ? '' : writeLooseJson(Object.fromEntries(unknown)).slice(1, -1);
}

/** The text of an object with more members than it has. */
export function withMembers(json: string, unknown: string | undefined): string {
  return unknown === undefined || unknown === '' ? json : `${json.slice(0, -1)},${unknown}}`;
}

/** A member of a file: a JSON text, or a table whose values are JSON texts, asked for as the file is written. */
type Member = string | Iterable<readonly [key: string, json: string]>;

/** The whole file; members in the order given, which is alphabetical in Java's files, then what we do not know. */
export async function fileBytes(
  members: Readonly<Record<string, Member>>,
  unknown: string,
  timers: Pick<Timers, 'soon'>,
): Promise<Uint8Array> {
  return Buffer.concat(await bytesInSlices(fileText(members, unknown), timers));
}

function* fileText(members: Readonly<Record<string, Member>>, unknown: string): Iterable<string> {
  let separator = '{\n';
  for (const [key, member] of Object.entries(members)) {
    yield `${separator}\t${writeLooseJson(key)}:`;
    separator = ',\n';
    if (typeof member === 'string') yield member;
    else yield* tableText(member);
  }
  if (unknown !== '') yield `${separator}\t${unknown}`;
  yield '\n}';
}

/** One row a line. */
function* tableText(rows: Iterable<readonly [key: string, json: string]>): Iterable<string> {
  let isEmpty = true;
  for (const member of membersOf(rows)) {
    yield `${isEmpty ? '{' : ','}\n\t\t${member}`;
    isEmpty = false;
  }
  yield isEmpty ? '{}' : '\n\t}';
}
