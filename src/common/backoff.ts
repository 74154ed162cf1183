import { assert } from './assert.ts';

/**
 * How long to wait before a repeated attempt: `firstMs` after one failure, twice as long after each further one, at most
 * `maxMs`. Half of it is left to `chance` (0 <= chance < 1), so that many who lost the same server do not come back at
 * the same moment.
 */
export function backoffMs(failures: number, firstMs: number, maxMs: number, chance: number): number {
  assert(failures >= 1, 'nothing is repeated before it failed');
  const wholeMs = Math.min(maxMs, firstMs * 2 ** (failures - 1));
  return wholeMs * (0.5 + chance / 2);
}
