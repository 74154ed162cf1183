import { JsonError, parseLooseJson } from '../common/mod.ts';
import { type DataVersion, readVersion, sameVersion } from './data-version.ts';

/** Order of names as Java's strings have it. */
export function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * One page of a table that administrators and slaves read piece by piece; the rows come in order of their keys. Whoever
 * comes with another version than the table's begins anew (RocketMQ: TopicConfigManager.subTopicConfigTable).
 */
export function pageOf<Row extends readonly [key: string, json: string]>(
  sorted: readonly Row[],
  version: DataVersion,
  versionText: string | undefined,
  from: number,
  count: number | undefined,
  countMax: number,
): Row[] {
  const begin = isCurrent(version, versionText) ? Math.max(0, from) : 0;
  const size = Math.max(0, Math.min(count ?? countMax, countMax));
  return sorted.slice(begin, begin + size);
}

function isCurrent(version: DataVersion, text: string | undefined): boolean {
  if (text === undefined || text.trim() === '') return false;
  try {
    const held = readVersion(parseLooseJson(text));
    return held !== undefined && sameVersion(held, version);
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}
