// Runs every scenario group against one server as tests, in one fresh store.

import test from 'node:test';
import { checkOutcome, recordFacts } from './facts.ts';
import { runScenarios, scenarioGroups } from './scenarios.ts';
import type { Server, ServerOptions } from './server.ts';
import { missingToolchain } from './toolchain.ts';
import { inWorkspace } from './workspace.ts';

const groupTimeoutMs = 300_000;

/** `COMPAT_ONLY` narrows any run down to scenarios by name; `only` is the choice of the suite itself. */
export function compatibilitySuite(
  startServer: (options: ServerOptions) => Server,
  options: { port: number; only?: readonly string[]; record: boolean },
): void {
  const skip = missingToolchain() ?? false;
  const chosen = process.env.COMPAT_ONLY?.split(',') ?? options.only;
  const known = new Set(scenarioGroups.flatMap((group) => group.scenarios));
  const unknown = chosen?.filter((name) => !known.has(name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`no scenario is called ${unknown.join(' or ')}; there are ${[...known].join(', ')}`);
  }
  test('the official Java client sees what it sees with Apache RocketMQ 5.5.0', { skip }, async (suite) => {
    await inWorkspace(
      'compat',
      (line) => suite.diagnostic(line),
      async (dir) => {
        const server = startServer({ dir, port: options.port });
        await server.start();
        // Groups that ran to their end, and scenarios that passed, must come to the same as what was begun.
        let begun = 0;
        let passed = 0;
        try {
          for (const group of scenarioGroups) {
            begun++;
            await suite.test(group.name, { timeout: groupTimeoutMs }, async (groupTest) => {
              const outcomes = await runScenarios(server, group, {
                dir,
                ...(chosen === undefined ? {} : { only: new Set(chosen) }),
              });
              for (const outcome of outcomes) {
                if (options.record && outcome.failures.length === 0) {
                  recordFacts(group.name, [outcome]);
                }
                begun++;
                await groupTest.test(`${outcome.scenario} (${outcome.tookMs} ms)`, () => {
                  checkOutcome(group.name, outcome, server.name);
                  passed++;
                });
              }
              passed++;
            });
          }
        } finally {
          await server.close();
        }
        return passed === begun;
      },
    );
  });
}
