import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimWorld } from '../testing/mod.ts';
import type { Disk } from './mod.ts';
import { readStateFile, StateFile } from './state-file.ts';

const path = '/data/config/state.json';

function inSimulation(story: (world: SimWorld) => Promise<void>, seed = 1): Promise<void> {
  const world = new SimWorld({ seed });
  return world.run(() => story(world));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function textOf(disk: Disk, file = path): Promise<string | undefined> {
  const bytes = await readStateFile(disk, file);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

test('a file that was never saved reads as undefined', () =>
  inSimulation(async (world) => assert.equal(await textOf(world.node('a').env.disk), undefined)));

test('a saved state survives a power failure, with the directories made for it', () =>
  inSimulation(async (world) => {
    const node = world.node('a');
    await new StateFile(node.env.disk, path, () => bytesOf('one')).save();
    node.crash();
    assert.equal(await textOf(node.restart().disk), 'one');
  }));

test('after a power failure during a save the file holds the old state or the new one, whole', async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 1; seed <= 60; seed++) {
    await inSimulation(async (world) => {
      const node = world.node('a');
      let state = 'old'.repeat(1000);
      const file = new StateFile(node.env.disk, path, () => bytesOf(state));
      await file.save();
      state = 'new'.repeat(2000);
      file.save().catch(() => {});
      await new Promise<void>((resolve) => world.node('observer').env.timers.after(seed / 20, resolve));
      node.crash();
      seen.add(await textOf(node.restart().disk));
    }, seed);
  }
  assert.deepEqual([...seen].sort(), ['new'.repeat(2000), 'old'.repeat(1000)]);
});

test('saves during a write share the next write, which takes the newest state', () =>
  inSimulation(async (world) => {
    const { disk } = world.node('a').env;
    let state = 0;
    let encoded = 0;
    const file = new StateFile(disk, path, () => {
      encoded++;
      return bytesOf(String(state));
    });
    const saves = Array.from({ length: 10 }, () => {
      state++;
      return file.save();
    });
    await Promise.all(saves);
    assert.equal(encoded, 2);
    assert.equal(await textOf(disk), '10');
  }));

test('a save that fails is reported, and the next one writes', () =>
  inSimulation(async (world) => {
    const { disk } = world.node('a').env;
    let broken = true;
    const file = new StateFile(disk, path, () => {
      if (broken) throw new Error('cannot encode');
      return bytesOf('whole');
    });
    await assert.rejects(file.save(), /cannot encode/);
    broken = false;
    await file.save();
    assert.equal(await textOf(disk), 'whole');
  }));

test('an empty file is replaced by its .bak', () =>
  inSimulation(async (world) => {
    const { disk } = world.node('a').env;
    await new StateFile(disk, path, () => bytesOf('')).save();
    await new StateFile(disk, `${path}.bak`, () => bytesOf('before')).save();
    assert.equal(await textOf(disk), 'before');
  }));

test('where the previous state is kept, it is the .bak', () =>
  inSimulation(async (world) => {
    const { disk } = world.node('a').env;
    let state = 'first';
    const file = new StateFile(disk, path, () => bytesOf(state), { keepPrevious: true });
    await file.save();
    state = 'second';
    await file.save();
    assert.deepEqual([await textOf(disk), await textOf(disk, `${path}.bak`)], ['second', 'first']);
  }));
