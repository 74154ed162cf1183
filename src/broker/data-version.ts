import type { JsonValue } from '../common/mod.ts';
import type { Clock } from '../io/mod.ts';

/** The version of a table that several processes hold copies of: equal when all three numbers are. */
export interface DataVersion {
  counter: number;
  stateVersion: number;
  /** Wall time of the last change, ms. */
  timestamp: number;
}

export function firstVersion(clock: Clock): DataVersion {
  return { counter: 0, stateVersion: 0, timestamp: clock.wallMs() };
}

/** Steps on after a change (RocketMQ: DataVersion.nextVersion). */
export function stepVersion(version: DataVersion, clock: Clock): void {
  version.counter++;
  version.timestamp = clock.wallMs();
}

/** What a file or a client holds; undefined when it is none. */
export function readVersion(json: JsonValue | undefined): DataVersion | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const { counter, stateVersion, timestamp } = json;
  if (typeof counter !== 'number' || typeof timestamp !== 'number') return undefined;
  return { counter, stateVersion: typeof stateVersion === 'number' ? stateVersion : 0, timestamp };
}

export function sameVersion(a: DataVersion, b: DataVersion): boolean {
  return a.counter === b.counter && a.stateVersion === b.stateVersion && a.timestamp === b.timestamp;
}
