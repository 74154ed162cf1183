import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './frames.ts';

test('a remoting server answers, or closes, under 20,000 odd and mutated frames', async () => {
  const report = await fuzz({ frames: 20_000, seed: 1 });
  assert.ok(report.answers > 2000, 'most frames are good enough to be answered');
  assert.ok(report.closedBadly > 50, 'some are not');
});
