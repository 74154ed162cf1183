/** Makes a failing run smaller as long as it goes on failing in the same way. */
import type { SimulationOptions } from '../../src/testing/mod.ts';
import type { Failure } from './worker.ts';

/** Undefined when the run passes. */
type Attempt = (options: SimulationOptions) => Promise<Failure | undefined>;

const attemptsMax = 120;
/** More would not be left out one by one. */
const strikesMax = 2000;

export interface Shrunk {
  options: SimulationOptions;
  failure: Failure;
  attempts: number;
}

export async function shrink(options: SimulationOptions, failure: Failure, attempt: Attempt): Promise<Shrunk> {
  const best: Shrunk = { options, failure, attempts: 0 };
  const sort = sortOf(failure.message);
  const accepts = async (change: Partial<SimulationOptions>): Promise<boolean> => {
    if (best.attempts >= attemptsMax) return false;
    best.attempts += 1;
    const smaller = { ...best.options, ...change };
    const found = await attempt(smaller);
    if (found === undefined || sortOf(found.message) !== sort) return false;
    best.options = smaller;
    best.failure = found;
    return true;
  };

  const strikes = Array.from({ length: Math.min(failure.run.strikes, strikesMax) }, (_, index) => index);
  if (await accepts({ strikes })) await dropStrikes(best, accepts);
  for (const change of [{ brokersMax: 1 }, { consumersMax: 1 }, { producersMax: 1 }]) await accepts(change);
  while (best.options.faultsMs > 1000 && (await accepts({ faultsMs: Math.ceil(best.options.faultsMs / 2) })));
  await dropStrikes(best, accepts);
  return best;
}

type Accepts = (change: Partial<SimulationOptions>) => Promise<boolean>;

/** Leaves out ever smaller stretches of the faults (delta debugging). */
async function dropStrikes(best: Shrunk, accepts: Accepts): Promise<void> {
  const strikes = () => best.options.strikes ?? [];
  for (let stretch = Math.ceil(strikes().length / 2); stretch >= 1; stretch = Math.floor(stretch / 2)) {
    for (let at = 0; at < strikes().length; ) {
      const left = strikes().filter((_, index) => index < at || index >= at + stretch);
      if (!(await accepts({ strikes: left }))) at += stretch;
    }
  }
}

/** What kind of failure a message tells of: without the numbers and names that another run has otherwise. */
export function sortOf(message: string): string {
  return message
    .replace(/^seed .*?: (\w*(Error|Failure)?: )?/, '')
    .replace(/[\w/%+@.-]*\d[\w/%+@.-]*/g, '#')
    .slice(0, 60);
}
