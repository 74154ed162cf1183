import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bodiesOf, inWorld, messageOf, open, pull, put } from './fixture.ts';

describe('a store', () => {
  test('gives back what was put, in queue order', async () => {
    await inWorld(1, async (node) => {
      const store = await open(node);
      for (const body of ['one', 'two', 'three']) {
        const result = await put(store, messageOf({ body }));
        assert.equal(result.status, 'ok');
      }
      const got = await pull(store, { offset: 0 });
      assert.equal(got.status, 'FOUND');
      assert.deepEqual(bodiesOf(got), ['one', 'two', 'three']);
      assert.deepEqual([got.nextOffset, got.minOffset, got.maxOffset], [3, 0, 3]);
      await store.close();
    });
  });

  test('gives back what was put before a clean stop', async () => {
    await inWorld(2, async (node) => {
      const before = await open(node);
      for (let i = 0; i < 100; i++) await put(before, messageOf({ body: `m${i}`, queueId: i % 3 }));
      await before.close();
      const store = await open(node);
      assert.equal(store.maxOffset('topic', 0), 34);
      assert.deepEqual(bodiesOf(await pull(store, { offset: 30, queueId: 0 })), ['m90', 'm93', 'm96', 'm99']);
      const result = await put(store, messageOf({ body: 'more', queueId: 0 }));
      assert.equal(result.queueOffset, 34);
      await store.close();
    });
  });

  test('rolls to the next segment when a record does not fit', async () => {
    await inWorld(3, async (node) => {
      const store = await open(node, { mappedFileSizeCommitLog: 4096 });
      for (let i = 0; i < 50; i++) await put(store, messageOf({ body: `${i}`.padStart(300, '.') }));
      const bodies: string[] = [];
      for (let offset = 0; offset < 50; ) {
        const got = await pull(store, { offset });
        bodies.push(...bodiesOf(got).map((body) => body.replaceAll('.', '')));
        offset = got.nextOffset;
      }
      assert.deepEqual(
        bodies,
        Array.from({ length: 50 }, (_, i) => String(i)),
      );
      await store.close();
    });
  });

  test('recovers what was acknowledged before the process was killed', async () => {
    await inWorld(4, async (node) => {
      const before = await open(node, { mappedFileSizeCommitLog: 4096 });
      for (let i = 0; i < 40; i++) await put(before, messageOf({ body: `m${i}` }));
      node.kill();
      node.restart();
      const store = await open(node, { mappedFileSizeCommitLog: 4096 });
      assert.equal(store.maxOffset('topic', 0), 40);
      assert.deepEqual(bodiesOf(await pull(store, { offset: 36 })), ['m36', 'm37', 'm38', 'm39']);
      await store.close();
    });
  });
});
