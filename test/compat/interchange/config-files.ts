// The broker's JSON files as any broker may leave them: read in the dialect of Java's, and given members that no version
// knows yet, which must come through.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type JsonObject, type JsonValue, parseLooseJson, writeLooseJson } from '../../../src/common/mod.ts';

const names = ['topics', 'subscriptionGroup', 'consumerOffset', 'delayOffset'] as const;
export type ConfigFiles = { readonly [name in (typeof names)[number]]: JsonObject };

/** A row of a later version would look so. */
const unknown = { member: [1, { inside: 'kept' }], number: 9_007_199_254_740_993n };

export function readConfigFiles(storeDir: string): ConfigFiles {
  return {
    topics: read(storeDir, 'topics'),
    subscriptionGroup: read(storeDir, 'subscriptionGroup'),
    consumerOffset: read(storeDir, 'consumerOffset'),
    delayOffset: read(storeDir, 'delayOffset'),
  };
}

function read(storeDir: string, name: string): JsonObject {
  const file = path.join(storeDir, 'config', `${name}.json`);
  return objectOf(
    statSync(file, { throwIfNoEntry: false }) === undefined ? {} : parseLooseJson(readFileSync(file, 'utf8')),
  );
}

/** Adds members that no version knows to each file, and to the rows of topics and groups. */
export function addUnknownMembers(storeDir: string): void {
  for (const name of names) {
    const json = read(storeDir, name);
    json.unknownMember = unknown;
    const rows = name === 'topics' ? 'topicConfigTable' : 'subscriptionGroupTable';
    for (const row of Object.values(objectOf(json[rows] ?? {}))) {
      objectOf(row).unknownMember = unknown;
    }
    writeFileSync(path.join(storeDir, 'config', `${name}.json`), writeLooseJson(json));
  }
}

/** The names of what lacks the members that were added. */
export function withoutUnknownMembers(files: ConfigFiles): string[] {
  const lacking: string[] = [];
  const look = (name: string, json: JsonObject) => {
    if (writeLooseJson(json.unknownMember ?? null) !== writeLooseJson(unknown)) {
      lacking.push(name);
    }
  };
  for (const name of names) {
    look(name, files[name]);
  }
  for (const [name, row] of Object.entries(objectOf(files.topics.topicConfigTable))) {
    look(`topic ${name}`, objectOf(row));
  }
  for (const [name, row] of Object.entries(objectOf(files.subscriptionGroup.subscriptionGroupTable))) {
    look(`group ${name}`, objectOf(row));
  }
  return lacking;
}

export function objectOf(json: JsonValue | undefined): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${writeLooseJson(json ?? null)} is no object`);
  }
  return json;
}

/** Committed offsets by `topic@group queueId`. */
export function committedIn(files: ConfigFiles): Map<string, number> {
  const committed = new Map<string, number>();
  for (const [name, queues] of Object.entries(objectOf(files.consumerOffset.offsetTable ?? {}))) {
    for (const [queueId, offset] of Object.entries(objectOf(queues))) {
      committed.set(`${name} ${queueId}`, Number(offset));
    }
  }
  return committed;
}
