import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateFile } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { fileBytes, readJsonState, tableText } from './json-state.ts';

const path = '/store/config/topics.json';

function stateOf(generation: number): Uint8Array {
  const row = (queues: number) => `{"perm":6,"readQueueNums":${queues},"topicName":"T"}`;
  const table = tableText([
    ['T', row(generation)],
    ['U', row(8)],
  ]);
  return fileBytes({ dataVersion: `{"counter":${generation}}`, topicConfigTable: table }, '');
}

/** Two saves, so that there is a generation before. */
async function withTwoGenerations(damage: (world: SimWorld, whole: Uint8Array) => Promise<void>): Promise<void> {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { env } = world.node('broker');
    let generation = 1;
    const file = new StateFile(env.disk, path, () => stateOf(generation), { keepPrevious: true });
    await file.save();
    generation = 2;
    await file.save();
    await damage(world, stateOf(2));
  });
}

test('a file that ends at any byte reads as the state before it, never as a part, and is moved away', () =>
  withTwoGenerations(async (world, whole) => {
    const { disk } = world.node('broker').env;
    for (let length = 0; length < whole.length; length++) {
      const file = await disk.open(path, 'create');
      await file.write(whole, 0, whole.length, 0);
      await file.truncate(length);
      await file.close();
      const state = await readJsonState(disk, path);
      assert.deepEqual(state?.dataVersion, { counter: 1, __proto__: null }, `${length} bytes`);
      if (length > 0) await disk.stat(`${path}.damaged`);
    }
  }));

test('a file with a flipped bit reads as it is, or as the state before it: it never stops a start', () =>
  withTwoGenerations(async (world, whole) => {
    const { disk } = world.node('broker').env;
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = whole.slice();
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        const file = await disk.open(path, 'create');
        await file.write(flipped, 0, flipped.length, 0);
        await file.close();
        const state = await readJsonState(disk, path);
        assert.ok(state !== undefined && Object.keys(state).length > 0, `byte ${at}, bit ${bit}`);
      }
    }
  }));

test('a save after damage does not put the damaged file in the place of the good one', () =>
  withTwoGenerations(async (world) => {
    const node = world.node('broker');
    node.disk.poke(path, 0, Buffer.from('x'));
    await readJsonState(node.env.disk, path);
    const next = new StateFile(node.env.disk, path, () => stateOf(3), { keepPrevious: true });
    const seen = new Set<unknown>();
    for (const operation of ['rename', 'sync directory'] as const) {
      node.disk.inject({ operation, code: 'EIO' });
      await next.save().catch(() => {});
      seen.add((await readJsonState(node.env.disk, path))?.dataVersion);
    }
    assert.ok(!seen.has(undefined));
  }));
