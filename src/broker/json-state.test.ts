import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Env, StateFile } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { fileBytes, readJsonState } from './json-state.ts';

const path = '/store/config/topics.json';

function stateOf(generation: number, { timers }: Env): Promise<Uint8Array> {
  const row = (queues: number) => `{"perm":6,"readQueueNums":${queues},"topicName":"T"}`;
  const table: [string, string][] = [
    ['T', row(generation)],
    ['U', row(8)],
  ];
  return fileBytes({ dataVersion: `{"counter":${generation}}`, topicConfigTable: table }, '', timers);
}

/** Two saves, so that there is a generation before. */
async function withTwoGenerations(damage: (world: SimWorld, whole: Uint8Array) => Promise<void>): Promise<void> {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { env } = world.node('broker');
    let generation = 1;
    const file = new StateFile(env.disk, path, () => stateOf(generation, env), { keepPrevious: true });
    await file.save();
    generation = 2;
    await file.save();
    await damage(world, await stateOf(2, env));
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
    const next = new StateFile(node.env.disk, path, () => stateOf(3, node.env), { keepPrevious: true });
    const seen = new Set<unknown>();
    for (const operation of ['rename', 'sync directory'] as const) {
      node.disk.inject({ operation, code: 'EIO' });
      await next.save().catch(() => {});
      seen.add((await readJsonState(node.env.disk, path))?.dataVersion);
    }
    assert.ok(!seen.has(undefined));
  }));

test('tables are written a row a line, empty ones too, and what is unknown goes last', async () => {
  const soon = (run: () => void) => void setImmediate(run);
  const many = Array.from({ length: 10_000 }, (_, i): [string, string] => [`topic-${i}`, `{"perm":${i % 8}}`]);
  const bytes = await fileBytes({ a: '1', empty: [], many, one: [['"', '{}']] }, '"x":2', { soon });
  const text = Buffer.from(bytes).toString('utf8');
  assert.ok(text.startsWith('{\n\t"a":1,\n\t"empty":{},\n\t"many":{\n\t\t"topic-0":{"perm":0},\n\t\t"topic-1"'));
  assert.ok(text.endsWith('"topic-9999":{"perm":7}\n\t},\n\t"one":{\n\t\t"\\"":{}\n\t},\n\t"x":2\n}'));
  assert.equal(Object.keys(JSON.parse(text).many).length, 10_000);
});
