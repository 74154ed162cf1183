import type { JsonValue } from '../common/mod.ts';
import { integerAt } from './json-reading.ts';

/** The version of a broker's topic table. Any difference means "changed": versions of different brokers do not compare. */
export interface DataVersion {
  readonly counter: number;
  /** Grows with each change of master; ranks two brokers that claim the same id. */
  readonly stateVersion: number;
  readonly timestamp: number;
}

export const zeroDataVersion: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 };

export function sameDataVersion(a: DataVersion, b: DataVersion): boolean {
  return a.counter === b.counter && a.stateVersion === b.stateVersion && a.timestamp === b.timestamp;
}

/** Missing fields count as 0. */
export function dataVersionFrom(json: JsonValue | undefined): DataVersion {
  return {
    counter: integerAt(json, 'counter', 0),
    stateVersion: integerAt(json, 'stateVersion', 0),
    timestamp: integerAt(json, 'timestamp', 0),
  };
}
