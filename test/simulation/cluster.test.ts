/**
 * Whole clusters under faults, a few seeds of each; `npm run simulate` runs any number. A failure names its seed, and
 * `npm run simulate -- --seed … --runs 1 --verbose` shows it again.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { faultKinds, simulate } from '../../src/testing/mod.ts';

const faultsMs = 6000;

describe('a cluster keeps its promises', () => {
  for (const [index, kind] of faultKinds.entries()) {
    test(`under the fault: ${kind}`, async () => {
      for (const seed of [100 + index, 200 + index]) await simulate({ seed, faultsMs, faults: [kind] });
    });
  }

  test('under all kinds of faults together', async () => {
    for (let seed = 1; seed <= 10; seed++) await simulate({ seed, faultsMs });
  });

  test('without any fault: every send is acknowledged', async () => {
    const report = await simulate({ seed: 1, faultsMs, faults: [] });
    assert.equal(report.acknowledged, report.sent);
    assert.ok(report.sent > 10);
  });
});

test('one seed of a whole cluster under faults gives the same trace twice, another seed another', async () => {
  const first = await simulate({ seed: 5, faultsMs });
  const again = await simulate({ seed: 5, faultsMs });
  const other = await simulate({ seed: 6, faultsMs });
  assert.deepEqual(again, first);
  assert.notEqual(other.traceHash, first.traceHash);
});
