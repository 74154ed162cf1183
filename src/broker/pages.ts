import { JsonError, parseLooseJson } from '../common/mod.ts';
import { type DataVersion, readVersion, sameVersion } from './data-version.ts';

interface Table {
  readonly version: DataVersion;
  /** In order of their keys. */
  sortedRows(from: number, to: number): (readonly [key: string, json: string])[];
}

/**
 * One page of a table that administrators and slaves read piece by piece. Whoever comes with another version than the
 * table's begins anew (RocketMQ: TopicConfigManager.subTopicConfigTable).
 */
export function pageOf(
  table: Table,
  versionText: string | undefined,
  from: number,
  count: number | undefined,
  countMax: number,
): (readonly [key: string, json: string])[] {
  const begin = isCurrent(table.version, versionText) ? Math.max(0, from) : 0;
  const size = Math.max(0, Math.min(count ?? countMax, countMax));
  return table.sortedRows(begin, begin + size);
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
