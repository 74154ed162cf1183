// A short form of `npm run compat:million`.

import assert from 'node:assert/strict';
import test from 'node:test';
import { runBenchmark } from './benchmark.ts';
import { missingToolchain } from './toolchain.ts';

const skip = missingToolchain() ?? false;

test('the official benchmark sends and consumes without a failure', { skip, timeout: 300_000 }, async (t) => {
  const result = await runBenchmark({
    messages: 20_000,
    bodyBytes: 1024,
    port: 23_911,
    report: (line) => t.diagnostic(line),
  });
  t.diagnostic(JSON.stringify(result));
  assert.ok(result.sent >= 20_000);
  assert.equal(result.sendFailures, 0);
  assert.equal(result.stored, result.sent);
  assert.equal(result.consumed, result.stored);
  assert.equal(result.consumeFailures, 0);
});
