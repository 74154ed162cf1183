import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { descriptorRefusal, reportDescriptors } from './descriptors.ts';

test('near the limit of open files no new queues are made, and a low limit is reported', async () => {
  const warnings: string[] = [];
  const world = new SimWorld({ seed: 1, print: (line) => warnings.push(line) });
  await world.run(async () => {
    const { env } = world.node('broker');
    const hostWith = (descriptors: { limit: number; open: number } | undefined): Host => ({
      ...env.host,
      fileDescriptors: () => descriptors,
    });
    assert.equal(descriptorRefusal({ host: hostWith(undefined) }), undefined);
    assert.equal(descriptorRefusal({ host: hostWith({ limit: 1024, open: 800 }) }), undefined);
    assert.match(String(descriptorRefusal({ host: hostWith({ limit: 1024, open: 900 }) })), /900 of 1024.*ulimit -n/);
    reportDescriptors({ host: hostWith({ limit: 65_536, open: 20 }), log: env.log });
    reportDescriptors({ host: hostWith(undefined), log: env.log });
    assert.deepEqual(warnings, []);
    reportDescriptors({ host: hostWith({ limit: 1024, open: 20 }), log: env.log });
    assert.equal(warnings.length, 1);
  });
});
