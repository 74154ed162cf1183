// npm run compat:million [-- --messages N] [-- --size BYTES]: the official benchmark classes, a million there and back.

import { parseArgs } from 'node:util';
import { runBenchmark } from './benchmark.ts';
import { buildJavaPrograms, missingToolchain } from './toolchain.ts';

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '1000000' }, size: { type: 'string', default: '128' } },
});
const missing = missingToolchain();
if (missing !== undefined) {
  console.log(`SKIPPED: the benchmark classes need Java 17 and Maven: ${missing}.`);
  process.exit(0);
}
buildJavaPrograms();
const result = await runBenchmark({
  messages: Number(values.messages),
  bodyBytes: Number(values.size),
  port: 23_911,
  report: (line) => console.log(line),
});
console.log(JSON.stringify(result));
const complete =
  result.sent >= Number(values.messages) && result.stored >= result.sent && result.consumed >= result.stored;
process.exit(complete && result.sendFailures === 0 && result.consumeFailures === 0 ? 0 : 1);
