import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld, messageOf, open, put } from './fixture.ts';
import {
  type DumpFilter,
  dumpStore,
  type Findings,
  forgetDerived,
  isSound,
  type MessageStore,
  openStoreFiles,
  planCut,
  verifyStore,
} from './mod.ts';

const settings = { mappedFileSizeCommitLog: 8192, flushIntervalConsumeQueue: 50 };
const queueFile = '/store/consumequeue/topic/0/00000000000000000000';

async function filled(node: SimNode, count = 60): Promise<MessageStore> {
  const store = await open(node, settings);
  for (let i = 0; i < count; i++) {
    await put(store, messageOf({ body: `m${i}`.padEnd(200, '.'), keys: `k${i}`, tags: `t${i % 3}`, queueId: i % 2 }));
  }
  return store;
}

async function verified(node: SimNode): Promise<Findings> {
  const store = await openStoreFiles(node.env.disk, '/store', '/store/commitlog', false);
  const options = { delayLevelsMs: [1000], indexShape: { slotsMax: 64, entriesMax: 100 }, progress: () => {} };
  const found = await verifyStore(store, options);
  await store.close();
  return found;
}

const indexFile = (node: SimNode) => `/store/index/${node.disk.namesIn('/store/index')[0]}`;

describe('verify', () => {
  test('finds a store sound after a clean stop, across segments, queue files and index files', () =>
    inWorld(1, async (node) => {
      await (await filled(node)).close();
      const found = await verified(node);
      assert.ok(isSound(found), JSON.stringify(found));
      assert.deepEqual([found.records, found.pending, found.tornTail], [60, 0, undefined]);
    }));

  test('finds a store that was killed sound: what queues do not know yet is no fault', () =>
    inWorld(2, async (node) => {
      await filled(node);
      node.kill();
      node.restart();
      const found = await verified(node);
      assert.ok(isSound(found), JSON.stringify(found));
      assert.equal(found.isClosed, false);
      assert.equal(found.records, 60);
    }));

  test('looks below the checkpoint beside a running broker, and does not touch its lock', () =>
    inWorld(3, async (node, world) => {
      const store = await filled(node);
      await world.sleep(500);
      await put(store, messageOf());
      const found = await verified(node);
      assert.ok(isSound(found) && found.isHeld, JSON.stringify(found));
      assert.equal(found.records, 60);
      assert.equal((await put(store, messageOf())).status, 'ok');
      await store.close();
    }));

  for (const [what, damage, expected] of [
    ['a record', (node: SimNode) => node.disk.flipBit('/store/commitlog/00000000000000000000', 120, 1), /body CRC/],
    ["a queue's offset", (node: SimNode) => node.disk.flipBit(queueFile, 7, 2), /the queue says/],
    ["a queue's tags code", (node: SimNode) => node.disk.flipBit(queueFile, 19, 2), /tags code/],
    ["a queue's entries", (node: SimNode) => node.disk.poke(queueFile, 20, new Uint8Array(20)), /does not know/],
    [
      "an index's key",
      (node: SimNode) => node.disk.flipBit(indexFile(node), 40 + 256 + 23, 1),
      /another key|not linked/,
    ],
    ["an index's slot", (node: SimNode) => node.disk.flipBit(indexFile(node), 43, 6), /slot 0/],
    ["an index's header", (node: SimNode) => node.disk.flipBit(indexFile(node), 0, 6), /header is damaged/],
  ] as const) {
    test(`finds ${what} that rotted`, () =>
      inWorld(4, async (node) => {
        await (await filled(node)).close();
        damage(node);
        const found = await verified(node);
        assert.ok(!isSound(found));
        assert.match(JSON.stringify(found), expected);
      }));
  }

  test('finds a state file that is no JSON', () =>
    inWorld(5, async (node) => {
      await (await filled(node)).close();
      await node.env.disk.makeDirectory('/store/config');
      const file = await node.env.disk.open('/store/config/topics.json', 'create');
      await file.write(Buffer.from('{"topicConf'), 0, 11, 0);
      await file.close();
      assert.deepEqual((await verified(node)).damagedFiles, ['config/topics.json']);
    }));

  test('finds messages of a deleted topic to be no fault', () =>
    inWorld(6, async (node) => {
      const store = await filled(node);
      await store.deleteTopic('topic');
      for (let i = 0; i < 3; i++) await put(store, messageOf({ keys: `n${i}` }));
      await store.close();
      const found = await verified(node);
      assert.ok(isSound(found), JSON.stringify(found));
      assert.deepEqual([found.records, found.ofDeletedTopics], [63, 60]);
    }));
});

describe('dump', () => {
  test('gives the records that a filter wants', () =>
    inWorld(1, async (node) => {
      await (await filled(node)).close();
      const store = await openStoreFiles(node.env.disk, '/store', '/store/commitlog', false);
      const offsetsOf = async (filter: Partial<DumpFilter>) => {
        const places: string[] = [];
        const visitor = { damage: () => {}, progress: () => {} };
        await dumpStore(
          store,
          { countMax: 100, ...filter },
          {
            ...visitor,
            record: ({ queueId, queueOffset }) => void places.push(`${queueId}@${queueOffset}`),
          },
        );
        return places;
      };
      assert.equal((await offsetsOf({})).length, 60);
      assert.equal((await offsetsOf({ topic: 'other' })).length, 0);
      assert.deepEqual(await offsetsOf({ queueId: 1, queueOffsets: [28, 40] }), ['1@28', '1@29']);
      assert.deepEqual(await offsetsOf({ countMax: 2 }), ['0@0', '1@0']);
      assert.equal((await offsetsOf({ offsets: [8192, 9000] }))[0]?.startsWith('0@') ?? false, true);
      assert.equal((await offsetsOf({ times: [0, 1] })).length, 0);
      await store.close();
    }));
});

describe('recover', () => {
  test('moves queues and index away, which the next start builds again', () =>
    inWorld(1, async (node) => {
      await (await filled(node)).close();
      node.disk.flipBit(queueFile, 7, 2);
      assert.ok(!isSound(await verified(node)));
      const { disk } = node.env;
      const store = await openStoreFiles(disk, '/store', '/store/commitlog', true);
      const moved = await forgetDerived(store, { disk, pid: 1, backup: '/store/recovered-1', progress: () => {} });
      assert.deepEqual(moved, ['consumequeue', 'index', 'checkpoint', 'checkpoint.liftmq']);
      await store.close();
      await (await open(node, settings)).close();
      assert.ok(isSound(await verified(node)));
    }));

  test('refuses while a broker has the store, and a cut where no record begins', () =>
    inWorld(2, async (node) => {
      const running = await filled(node);
      await assert.rejects(openStoreFiles(node.env.disk, '/store', '/store/commitlog', true), /stop the broker first/);
      await running.close();
      const store = await openStoreFiles(node.env.disk, '/store', '/store/commitlog', true);
      await assert.rejects(
        planCut(store, 5, () => {}),
        /no record begins at 5/,
      );
      await assert.rejects(
        planCut(store, 1e12, () => {}),
        /holds offsets from 0 on/,
      );
      await store.close();
      await assert.rejects(openStoreFiles(node.env.disk, '/nothing', '/nothing/commitlog', true), /no segments/);
    }));
});
