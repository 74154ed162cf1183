/**
 * `npm run simulate -- [--seed S] [--runs N] [--minutes M] [--faults a,b] [--verbose]`: whole clusters under faults,
 * one seed after the other. A failure prints its seed, which shows it again.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds, SimulationError, simulate } from '../../src/testing/mod.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '0.5' },
    faults: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const usage = `Whole clusters in virtual time, under faults, from seeds.

  --seed S       the first seed; default 1
  --runs N       so many seeds, one after the other; default 20
  --minutes M    virtual minutes under faults in each run; default 0.5
  --faults a,b   only these of: ${faultKinds.join(', ')}
  --verbose      every log line of every process
`;

function numberOf(name: 'seed' | 'runs' | 'minutes'): number {
  const number = Number(values[name]);
  if (!(number >= 0)) throw new RangeError(`--${name} ${values[name]}: a number is needed`);
  return number;
}

function faultsOf(list: string | undefined): { faults?: FaultKind[] } {
  if (list === undefined) return {};
  const asked = list.split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !faultKinds.some((kind) => kind === name));
  if (unknown.length > 0) throw new RangeError(`--faults: unknown ${unknown}; known are ${faultKinds.join(', ')}`);
  return { faults: faultKinds.filter((kind) => asked.includes(kind)) };
}

/** Gives the number of seeds that failed. */
async function runAll(): Promise<number> {
  const first = numberOf('seed');
  const runs = numberOf('runs');
  const minutes = numberOf('minutes');
  const total = { failed: 0, events: 0, virtualMs: 0, acknowledged: 0, faults: 0 };
  const begunMs = performance.now();
  for (let seed = first; seed < first + runs; seed++) {
    try {
      const print = values.verbose ? { print: (line: string) => console.log(line) } : {};
      const report = await simulate({ seed, faultsMs: minutes * 60_000, ...faultsOf(values.faults), ...print });
      const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
      total.events += report.eventCount;
      total.virtualMs += report.virtualMs;
      total.acknowledged += report.acknowledged;
      total.faults += faults;
      console.log(
        `seed ${seed}: ok, ${report.acknowledged} of ${report.sent} acknowledged, ${report.deliveries} deliveries,` +
          ` ${faults} faults, ${report.eventCount} events, trace ${report.traceHash}`,
      );
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      total.failed += 1;
      console.error(error.logLines.slice(-30).join('\n'));
      console.error(error);
      const options = values.faults === undefined ? '' : ` --faults '${values.faults}'`;
      console.error(`again: npm run simulate -- --seed ${seed} --runs 1 --minutes ${minutes}${options}\n`);
    }
  }
  const seconds = (performance.now() - begunMs) / 1000;
  console.log(
    `${runs} seeds, ${total.failed} failed; ${(total.virtualMs / 3_600_000).toFixed(2)} virtual hours in` +
      ` ${seconds.toFixed(0)} s, ${total.events} events, ${total.faults} faults, ${total.acknowledged} acknowledged`,
  );
  return total.failed;
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
