/** `npm test`: every check that needs nothing but npm, cheapest first. Stops at the first that fails. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tool = (name: string): string => join(root, 'node_modules', '.bin', name);

/** All but the suites that need other toolchains; `npm run test:compat` has those. */
const testFiles = globSync('{src,bin,test,bench,scripts}/**/*.test.ts', {
  cwd: root,
  exclude: ['test/compat/**'],
}).sort();

const steps: readonly { title: string; command: string; args: readonly string[] }[] = [
  { title: 'types', command: tool('tsc'), args: ['-p', '.'] },
  { title: 'format and lint', command: tool('biome'), args: ['ci', '--error-on-warnings', '.'] },
  {
    title: 'architecture, units, properties, simulation',
    command: process.execPath,
    args: ['--test', '--test-timeout=150000', ...testFiles],
  },
];

for (const { title, command, args } of steps) {
  const begin = process.hrtime.bigint();
  console.log(`\n# ${title}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  const seconds = (Number(process.hrtime.bigint() - begin) / 1e9).toFixed(1);
  if (status !== 0) {
    console.error(`# ${title}: failed after ${seconds} s${error === undefined ? '' : ` (${error.message})`}`);
    process.exit(status ?? 1);
  }
  console.log(`# ${title}: ok in ${seconds} s`);
}
