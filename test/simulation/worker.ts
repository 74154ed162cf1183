/** A process that simulates: runs come in as options, one after the other, and reports go out. */
import process from 'node:process';
import { SimulationError, type SimulationOptions, type SimulationReport, simulate } from '../../src/testing/mod.ts';

export interface Failure {
  message: string;
  /** The stack of what was thrown, and the last lines of the log. */
  detail: string;
  run: SimulationError['run'];
}

export type Outcome = { report: SimulationReport } | { failure: Failure };

async function run(options: SimulationOptions, verbose: boolean): Promise<Outcome> {
  try {
    return { report: await simulate(verbose ? { ...options, print: (line) => console.log(line) } : options) };
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    const { cause } = error;
    const stack = cause instanceof Error ? (cause.stack ?? '') : String(cause);
    const deeper = cause instanceof Error && cause.cause instanceof Error ? `\ncaused by ${cause.cause.stack}` : '';
    const detail = `${error.logLines.slice(-30).join('\n')}\n${stack}${deeper}`;
    return { failure: { message: error.message, detail, run: error.run } };
  }
}

process.on('message', async ({ options, verbose }: { options: SimulationOptions; verbose: boolean }) => {
  const outcome = await run(options, verbose);
  process.send?.(outcome);
});
