/**
 * Whole clusters under a choice of faults; `npm run simulate` runs any number. A failure names its seed, and
 * `npm run simulate -- --seed … --runs 1 --minutes 1.5` makes it smaller and shows it again (docs/simulation.md).
 */
import { describe, test } from 'node:test';
import { simulate } from '../../src/testing/mod.ts';

const faultsMs = 90_000;
const seedCount = 25;

describe('a cluster keeps its promises under a choice of faults', () => {
  for (let seed = 1; seed <= seedCount; seed++) test(`seed ${seed}`, () => simulate({ seed, faultsMs }).then(() => {}));
});
