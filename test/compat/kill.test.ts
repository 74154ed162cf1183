// A short form of `npm run test:kill`.

import test from 'node:test';
import { runKillRounds } from './kill/rounds.ts';

test('nothing acknowledged is lost when the broker is killed under load', { timeout: 240_000 }, async (t) => {
  const result = await runKillRounds({
    rounds: 5,
    seed: 3,
    port: 22_911,
    syncFlush: false,
    report: (line) => t.diagnostic(line),
  });
  t.diagnostic(JSON.stringify(result));
});
