/** `npm run simulate`: whole clusters under faults, one seed after the other. docs/simulation.md says how to read it. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds, type SimulationOptions } from '../../src/testing/mod.ts';
import { Pool } from './pool.ts';
import { shrink } from './shrink.ts';
import { Tally } from './tally.ts';
import type { Failure } from './worker.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    hours: { type: 'string' },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    minutes: { type: 'string', default: '4' },
    faults: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    shrink: { type: 'boolean', default: true },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
});

const usage = `Whole clusters in virtual time, under faults, from seeds. Stops at the first of the limits that are given;
without one after 20 runs.

  --seed S       the first seed; default 1
  --hours H      so many simulated hours
  --runs N       so many seeds, one after the other
  --seconds T    so long in real time
  --minutes M    simulated minutes under faults in each run; default 4
  --faults a,b   only these of: ${faultKinds.join(', ')}
  --jobs J       processes side by side; default one for each core
  --no-shrink    leaves a failing run as it is
  --verbose      one process, and every log line of every simulated one
`;

interface Limits {
  hours: number;
  runs: number;
  seconds: number;
}

function numberOf(name: 'seed' | 'hours' | 'runs' | 'seconds' | 'minutes' | 'jobs'): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number >= 0)) throw new RangeError(`--${name} ${text}: a number is needed`);
  return number;
}

function faultsOf(list: string | undefined): { faults?: FaultKind[] } {
  if (list === undefined) return {};
  const asked = list.split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !faultKinds.some((kind) => kind === name));
  if (unknown.length > 0) throw new RangeError(`--faults: unknown ${unknown}; known are ${faultKinds.join(', ')}`);
  return { faults: faultKinds.filter((kind) => asked.includes(kind)) };
}

function limitsOf(): Limits {
  const [hours, runs, seconds] = [numberOf('hours'), numberOf('runs'), numberOf('seconds')];
  const none = hours === undefined && runs === undefined && seconds === undefined;
  const never = Number.POSITIVE_INFINITY;
  return { hours: hours ?? never, runs: runs ?? (none ? 20 : never), seconds: seconds ?? never };
}

/** Gives the number of seeds that failed. */
async function runAll(): Promise<number> {
  const limits = limitsOf();
  const faultsMs = (numberOf('minutes') ?? 4) * 60_000;
  const jobs = values.verbose ? 1 : Math.max(1, numberOf('jobs') ?? 1);
  const options = faultsOf(values.faults);
  const pool = new Pool(jobs);
  const tally = new Tally();
  const beganMs = performance.now();
  const seconds = () => (performance.now() - beganMs) / 1000;
  let seed = numberOf('seed') ?? 1;
  let begun = 0;
  const goesOn = () => begun < limits.runs && tally.hours < limits.hours && seconds() < limits.seconds;
  const failures: { options: SimulationOptions; failure: Failure }[] = [];
  const work = async () => {
    while (goesOn()) {
      begun += 1;
      const run = { seed: seed++, faultsMs, ...options };
      const outcome = await pool.run(run, values.verbose);
      if ('report' in outcome) {
        tally.add(outcome.report);
      } else {
        tally.failed += 1;
        failures.push({ options: run, failure: outcome.failure });
        console.error(`${outcome.failure.message}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(tally.text(seconds()));
  for (const { options: failed, failure } of failures) await explain(pool, failed, failure);
  await pool.close();
  return tally.failed;
}

/** Prints a failure as small as it can be made, and keeps it as a test. */
async function explain(pool: Pool, options: SimulationOptions, failure: Failure): Promise<void> {
  let shown = { options, failure, attempts: 0 };
  if (values.shrink) {
    shown = await shrink(options, failure, async (smaller) => {
      const outcome = await pool.run(smaller);
      return 'failure' in outcome ? outcome.failure : undefined;
    });
  }
  const path = join(import.meta.dirname, 'regressions', `seed-${options.seed}.json`);
  writeFileSync(path, `${JSON.stringify({ ...shown.options, why: shown.failure.message.slice(0, 300) })}\n`);
  console.error(
    [
      '',
      `seed ${options.seed} failed: ${failure.message}`,
      `smaller, after ${shown.attempts} attempts: ${JSON.stringify(shown.options)}`,
      shown.failure.detail,
      shown.failure.message,
      `kept as ${relative(process.cwd(), path)}, which npm test runs again`,
      `again, as it was: npm run simulate -- --seed ${options.seed} --runs 1 --minutes ${options.faultsMs / 60_000}` +
        (values.faults === undefined ? '' : ` --faults '${values.faults}'`),
    ].join('\n'),
  );
}

if (values.help) {
  console.log(usage);
} else {
  try {
    process.exitCode = (await runAll()) > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
