/** Processes that simulate side by side. One that does not come back is ended: its seed failed. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { SimulationOptions } from '../../src/testing/mod.ts';
import type { Outcome } from './worker.ts';

/** For one run; a busy machine takes a few seconds for a simulated hour's tenth. */
const runLimitMs = 180_000;

export class Pool {
  readonly #idle: ChildProcess[] = [];
  readonly #waiting: ((child: ChildProcess) => void)[] = [];
  readonly #env: Record<string, string>;

  /** `env` goes on top of this process's own. */
  constructor(size: number, env: Record<string, string> = {}) {
    this.#env = env;
    for (let count = 0; count < size; count++) this.#idle.push(this.#start());
  }

  async run(options: SimulationOptions, verbose = false): Promise<Outcome> {
    const child = this.#idle.pop() ?? (await new Promise<ChildProcess>((resolve) => this.#waiting.push(resolve)));
    const outcome = await ask(child, options, verbose);
    const next = child.connected ? child : this.#start();
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#idle.push(next);
    else waiter(next);
    return outcome;
  }

  /** When no run is under way. */
  async close(): Promise<void> {
    await Promise.all(
      this.#idle.map((child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.disconnect();
        return ended;
      }),
    );
  }

  #start(): ChildProcess {
    // A simulation makes much short-lived garbage: room for it saves copying.
    return fork(join(import.meta.dirname, 'worker.ts'), {
      execArgv: ['--max-semi-space-size=32'],
      env: { ...process.env, ...this.#env },
    });
  }
}

function ask(child: ChildProcess, options: SimulationOptions, verbose: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    const failed = (message: string) => {
      const run = { strikes: Number.MAX_SAFE_INTEGER, kinds: options.faults ?? [], virtualMs: options.faultsMs };
      resolve({ failure: { message: `seed ${options.seed}: ${message}`, detail: '', run } });
    };
    const limit = setTimeout(() => child.kill('SIGKILL'), runLimitMs);
    const onExit = (code: number | null) => {
      clearTimeout(limit);
      failed(code === null ? `did not end in ${runLimitMs / 1000} s` : `its process ended with code ${code}`);
    };
    child.once('exit', onExit);
    child.once('message', (outcome: Outcome) => {
      clearTimeout(limit);
      child.off('exit', onExit);
      resolve(outcome);
    });
    child.send({ options, verbose });
  });
}
