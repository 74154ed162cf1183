/** Runs simulations, one seed after the other, until one fails; a line of JSON for each. For catching.ts. */
import { SimulationError, simulate } from '../../src/testing/mod.ts';
import type { Search } from './catching.ts';

const { first, count, faultsMs, faults } = JSON.parse(process.argv[2] ?? '') as Search;
for (let seed = first; seed < first + count; seed++) {
  try {
    await simulate({ seed, faultsMs, ...(faults === undefined ? {} : { faults }) });
    console.log(JSON.stringify({ seed }));
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    console.log(JSON.stringify({ seed, failure: error.message }));
    break;
  }
}
