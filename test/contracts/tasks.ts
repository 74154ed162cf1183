/** Work for the contract of the workers: a thread imports this module. */
import type { WorkerTask } from '../../src/io/mod.ts';

export const sum: WorkerTask<number[], { total: number }> = {
  module: import.meta.url,
  name: 'sum',
  run: (numbers) => ({ total: numbers.reduce((total, number) => total + number, 0) }),
};

export const fail: WorkerTask<string, never> = {
  module: import.meta.url,
  name: 'fail',
  run(message) {
    throw new RangeError(message);
  },
};
