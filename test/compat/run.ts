// npm run test:compat [-- --apache] [-- --record] [-- --only NAME,…] [-- --target apache|liftmq]
//
// What needs other toolchains than Node. Says that it skips when Java or Maven is missing; where they exist, it builds
// our Java programs and runs the suites, on Linux in a network namespace of their own: ports are free there, and
// nothing that the servers bind is reachable from outside.
//   --apache   all scenarios against Apache RocketMQ too, not only a few
//   --record   the same, and what they see becomes the record that LiftMQ is compared with
//   --only     scenarios by name
//   --target   one of the two servers only

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildJavaPrograms, missingToolchain } from './toolchain.ts';

const { values } = parseArgs({
  options: {
    apache: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    only: { type: 'string' },
    target: { type: 'string' },
  },
});

const missing = missingToolchain();
if (missing !== undefined) {
  console.log(`SKIPPED: the compatibility suite needs Java 17 and Maven: ${missing}.`);
  process.exit(0);
}
buildJavaPrograms();

const suites = values.target === undefined ? ['*', 'kill/*'] : [values.target];
const testArguments = [
  '--test',
  '--test-concurrency=1',
  '--test-reporter=spec',
  ...suites.map((suite) => path.join(import.meta.dirname, `${suite}.test.ts`)),
];
const isolated = ['-n', '-rn'].find(
  (flag) => spawnSync('unshare', [flag, 'ip', 'link', 'set', 'lo', 'up']).status === 0,
);
const [command, commandArguments] =
  isolated === undefined
    ? [process.execPath, testArguments]
    : ['unshare', [isolated, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, ...testArguments]];
const run = spawnSync(command, commandArguments, {
  stdio: 'inherit',
  env: {
    ...process.env,
    ...(values.apache || values.record ? { COMPAT_APACHE: 'all' } : {}),
    ...(values.record ? { COMPAT_RECORD: '1' } : {}),
    ...(values.only === undefined ? {} : { COMPAT_ONLY: values.only }),
  },
});
process.exit(run.status ?? 1);
