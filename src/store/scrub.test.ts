import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode, SimWorld } from '../testing/mod.ts';
import { inWorld as inShortWorld, messageOf, open, pull, put } from './fixture.ts';

const hourMs = 3_600_000;
const inWorld = (seed: number, body: (node: SimNode, world: SimWorld) => Promise<void>) =>
  inShortWorld(seed, body, 20 * hourMs);

const settings = { mappedFileSizeCommitLog: 1 << 20, scrubPeriodHours: 1, deleteWhen: '99' };

/** About 3.2 MB in four segments, with one record larger than a slice; gives the records' places. */
async function filled(node: SimNode, more: Record<string, number> = {}) {
  const store = await open(node, { ...settings, ...more });
  const places: { offset: number; size: number }[] = [];
  for (let i = 0; i < 64; i++) {
    const body = 'x'.repeat(i === 20 ? 400_000 : 40_000);
    const { physicalOffset, sizeBytes, status, cause } = await put(store, messageOf({ body }));
    assert.equal(status, 'ok', cause);
    places.push({ offset: physicalOffset, size: sizeBytes });
  }
  return { store, places };
}

const pathOf = (offset: number) => `/store/commitlog/${String(offset - (offset % (1 << 20))).padStart(20, '0')}`;

const damageLines = (world: SimWorld) => world.logLines.filter((line) => line.includes('store.scrub.damage'));

describe('the scrub', () => {
  test('reads the whole log once in its period, and finds nothing in a sound one', () =>
    inWorld(1, async (node, world) => {
      const { store, places } = await filled(node);
      await world.sleep(1.2 * hourMs);
      const { passes, bytesTotal, damagedCount } = store.health().scrub;
      assert.deepEqual([passes, damagedCount], [1, 0]);
      const written = places.reduce((sum, { size }) => sum + size, 0);
      assert.ok(bytesTotal >= written && bytesTotal < written * 1.6, `${bytesTotal} of ${written}`);
      assert.deepEqual(damageLines(world), []);
      await store.close();
    }));

  test('finds each record that rotted, tells once, goes on behind it, and forgets what was restored', () =>
    inWorld(2, async (node, world) => {
      const { store, places } = await filled(node);
      await world.sleep(1.1 * hourMs);
      const rotten = [places[3], places[20], places[40], places[41]].map((place) => place?.offset ?? 0);
      const flip = () => {
        for (const offset of rotten) node.disk.flipBit(pathOf(offset), (offset % (1 << 20)) + 500, 3);
      };
      flip();
      await world.sleep(3 * hourMs);
      // Of two that lie side by side, the first is told: up to the next sound record all is lost.
      assert.equal(store.health().scrub.damagedCount, 3);
      assert.equal(store.health().writable, true);
      const told = damageLines(world).map((line) => Number(/"offset":(\d+)/.exec(line)?.[1]));
      assert.deepEqual(
        told.sort((a, b) => a - b),
        rotten.slice(0, 3),
      );
      flip();
      await world.sleep(3 * hourMs);
      assert.equal(store.health().scrub.damagedCount, 0);
      assert.equal(damageLines(world).length, 3);
      await store.close();
    }));

  test('finds sizes and places that rotted, not only bodies', () =>
    inWorld(3, async (node, world) => {
      const { store, places } = await filled(node);
      await world.sleep(1000);
      const offset = places[5]?.offset ?? 0;
      const other = places[50]?.offset ?? 0;
      node.disk.flipBit(pathOf(offset), (offset % (1 << 20)) + 1, 2);
      node.disk.flipBit(pathOf(other), (other % (1 << 20)) + 34, 2);
      await world.sleep(1.5 * hourMs);
      assert.equal(store.health().scrub.damagedCount, 2);
      await store.close();
    }));

  test('reads no faster than its rate, however short the period', () =>
    inWorld(4, async (node, world) => {
      const { store } = await filled(node, { scrubBytesPerSecondMax: 65_536 });
      const before = store.health().scrub.bytesTotal;
      await world.sleep(20_000);
      const read = store.health().scrub.bytesTotal - before;
      assert.ok(read <= 20 * 65_536 + (1 << 20), `${read} bytes in 20 s`);
      await store.close();
    }));

  test('never runs when its period is 0', () =>
    inWorld(5, async (node, world) => {
      const { store } = await filled(node, { scrubPeriodHours: 0 });
      await world.sleep(4 * hourMs);
      assert.equal(store.health().scrub.bytesTotal, 0);
      await store.close();
    }));

  test('counts what the disk cannot read, and takes a segment that aged out for no damage', () =>
    inWorld(6, async (node, world) => {
      const { store, places } = await filled(node, { fileReservedTime: 0, deleteFileBatchMax: 1 });
      await world.sleep(5000);
      node.disk.inject({ operation: 'read', code: 'EIO', path: 'commitlog' });
      await world.sleep(hourMs / 2);
      assert.equal(store.health().scrub.damagedCount, 1);
      await world.sleep(4 * hourMs);
      assert.equal(store.health().scrub.damagedCount, 0);
      assert.equal((await pull(store, { offset: places.length - 1 })).status, 'FOUND');
      await store.close();
    }));
});
