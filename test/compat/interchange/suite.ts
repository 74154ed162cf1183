// One sequence of brokers over a store as a test.

import test from 'node:test';
import { missingToolchain } from '../toolchain.ts';
import { inWorkspace } from '../workspace.ts';
import { Sequence, type Stage } from './sequence.ts';

const skip = missingToolchain() ?? false;
const names = { apache: 'Apache RocketMQ', liftmq: 'LiftMQ' };

/** Registers the test: brokers over one store, one after the other; each stage is a test of its own. */
export function interchange(title: string, port: number, stages: readonly Stage[]): void {
  test(title, { skip, timeout: 240_000 }, async (t) => {
    await inWorkspace(
      'interchange',
      (line) => t.diagnostic(line),
      async (dir) => {
        const sequence = new Sequence(dir, port);
        let passed = 0;
        try {
          for (const [i, stage] of stages.entries()) {
            const end = stage.stop === 'SIGTERM' ? 'stopped' : 'killed';
            await t.test(`${i + 1}: ${names[stage.broker]} on ${stage.ip}, then ${end}`, async (stageTest) => {
              await sequence.run(stage, stageTest, { isLast: i === stages.length - 1 });
              passed++;
            });
            if (passed <= i) {
              break;
            }
          }
        } finally {
          await sequence.close();
        }
        return passed === stages.length;
      },
    );
  });
}
