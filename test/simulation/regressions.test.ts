/**
 * Runs that failed once (`npm run simulate` writes them, shrunk). A seed means another run when the simulation itself
 * changes, so that each bug also has a test of its own where it was.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type SimulationOptions, simulate } from '../../src/testing/mod.ts';

const directory = join(import.meta.dirname, 'regressions');

describe('what failed once passes', () => {
  for (const name of readdirSync(directory)) {
    const { why, ...options } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as SimulationOptions & {
      why: string;
    };
    test(`${name}: ${why.slice(0, 120)}`, async () => {
      await simulate(options);
    });
  }
});
