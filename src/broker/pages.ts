import { JsonError, parseLooseJson } from '../common/mod.ts';
import { type DataVersion, readVersion, sameVersion } from './data-version.ts';

/**
 * One page of a table that administrators and slaves read piece by piece, in order of the keys. Whoever comes with
 * another version than the table's begins anew (RocketMQ: TopicConfigManager.subTopicConfigTable).
 */
export function pageOf<Row extends readonly [key: string, json: string]>(
  rows: readonly Row[],
  version: DataVersion,
  versionText: string | undefined,
  from: number,
  count: number | undefined,
  countMax: number,
): Row[] {
  const begin = isCurrent(version, versionText) ? Math.max(0, from) : 0;
  const size = Math.max(0, Math.min(count ?? countMax, countMax));
  const sorted = rows.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
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
