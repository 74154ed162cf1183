import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuProfile, selfTimes } from './profile.ts';

test('self time is the sum of what passed before each sample of a function, largest first', () => {
  const frame = (functionName: string) => ({ functionName, url: '', lineNumber: 0 });
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('scan') },
      // The same function, called from elsewhere.
      { id: 3, callFrame: frame('scan') },
    ],
    samples: [1, 2, 3, 1],
    timeDeltas: [100, 250, 250, 50],
  };
  assert.deepEqual(
    selfTimes(profile, ({ functionName }) => functionName),
    [
      { where: 'scan', micros: 500 },
      { where: '(idle)', micros: 150 },
    ],
  );
});
