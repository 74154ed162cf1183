/** Whole clusters under each kind of fault alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FaultKind, faultKinds, simulate } from '../../src/testing/mod.ts';

const shortMs = 10_000;
const longMs = 60_000;

describe('a cluster keeps its promises', () => {
  for (const [index, kind] of faultKinds.entries()) {
    test(`under the fault: ${kind}`, async () => {
      let fired = 0;
      for (const seed of [100 + index, 200 + index]) {
        // Only a start reads much.
        const isOfStarts = kind === 'stale read';
        const others: FaultKind[] = isOfStarts ? ['kill everything'] : [];
        const faultsMs = isOfStarts ? longMs : shortMs;
        const { faults } = await simulate({ seed, faultsMs, faults: [kind, ...others] });
        fired += faults[kind] ?? 0;
      }
      assert.ok(fired > 0, 'the fault met something');
    });
  }

  test('without any fault: every send is acknowledged', async () => {
    const report = await simulate({ seed: 1, faultsMs: shortMs, faults: [] });
    assert.equal(report.acknowledged, report.sent);
    assert.ok(report.sent > 10);
  });
});

test('one seed of a whole cluster under faults gives the same trace twice, another seed another', async () => {
  const first = await simulate({ seed: 5, faultsMs: longMs });
  const again = await simulate({ seed: 5, faultsMs: longMs });
  const other = await simulate({ seed: 6, faultsMs: longMs });
  assert.deepEqual(again, first);
  assert.notEqual(other.traceHash, first.traceHash);
});
