import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { inWorld, messageOf, open, put } from './fixture.ts';

/** A file, and the directories above it. */
async function touch(node: SimNode, path: string, text = ''): Promise<void> {
  const names = path.split('/').slice(1, -1);
  for (const [depth] of names.entries()) {
    await node.env.disk.makeDirectory(`/${names.slice(0, depth + 1).join('/')}`).catch(() => {});
  }
  const file = await node.env.disk.open(path, 'create');
  await file.write(Buffer.from(text), 0, text.length, 0);
  await file.close();
}

describe('a store directory', () => {
  test('of a Java broker without compaction topics is opened: such a broker leaves a position file too', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/checkpoint');
      await touch(node, '/store/compaction/position-checkpoint');
      const store = await open(node);
      await store.close();
    });
  });

  test('with compacted topics is refused, naming the place', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/checkpoint');
      await touch(node, '/store/compaction/compactionLog/T/0/00000000000000000000');
      await assert.rejects(open(node), /compaction\/compactionLog cannot be read/);
    });
  });

  test('that is no store is refused', async () => {
    await inWorld(1, async (node) => {
      await touch(node, '/store/holiday.jpg');
      await assert.rejects(open(node), /neither empty nor a RocketMQ store/);
    });
  });
});

describe('a store directory that holds what we cannot read', () => {
  for (const [path, setting] of [
    ['consumequeue_rocksdb/000012.sst', 'storeType'],
    ['consumequeue/000012.sst', 'storeType'],
    ['rocksdbstore/000012.sst', 'timerRocksDBEnable'],
    ['rocksdbstore/000012.log', 'transRocksDBEnable'],
    ['consumequeue_ext/T/0/00000000000000000000', 'enableConsumeQueueExt'],
    ['batchconsumequeue/T/0/00000000000000000000', 'queue.type'],
    ['compaction/compactionLog/T/0/00000000000000000000', 'cleanup.policy'],
    ['kvStore/000012.log', 'popConsumerKVServiceEnable'],
    ['dledger-n0/data/00000000000000000000', 'enableDLegerCommitLog'],
    ['config/topics/000012.sst', 'storeType'],
    ['config/subscriptionGroups/000012.log', 'storeType'],
    ['config/consumerOffsets/000012.sst', 'storeType'],
    ['config/metadata/000012.sst', 'useSingleRocksDBForAllConfigs'],
    ['config/rdb/000012.sst', 'configManagerVersion'],
    ['config/users/000012.sst', 'authenticationEnabled'],
    ['config/acls/000012.log', 'authorizationEnabled'],
    ['epochFileCheckpoint', 'enableControllerMode'],
    ['config/tieredStoreMetadata.json', 'messageStorePlugIn'],
  ] as const) {
    test(`is refused, naming ${path}'s place, the setting (${setting}) and a way out`, async () => {
      await inWorld(1, async (node) => {
        await touch(node, '/store/checkpoint');
        await touch(node, `/store/${path}`, 'x');
        const place = path.split('/')[0] ?? '';
        await assert.rejects(open(node), ({ message }: Error) => {
          assert.ok(message.startsWith(`/store/${place}`), message);
          assert.match(message, new RegExp(`\\b${setting.replace('.', '\\.')}\\b.*; `));
          return true;
        });
      });
    });
  }

  test('is opened when the places are there but empty, as a Java broker leaves them', async () => {
    await inWorld(2, async (node) => {
      await node.env.disk.makeDirectory('/store/consumequeue_rocksdb');
      await node.env.disk.makeDirectory('/store/batchconsumequeue/T/0');
      await touch(node, '/store/checkpoint');
      for (const name of ['CURRENT', 'IDENTITY', 'LOCK', 'MANIFEST-000013', 'OPTIONS-000015']) {
        await touch(node, `/store/rocksdbstore/${name}`, 'x');
      }
      await touch(node, '/store/rocksdbstore/000012.log');
      await (await open(node)).close();
    });
  });
});

describe('a store directory that cannot be written', () => {
  test('is refused with the reason, whether it is there or not', async () => {
    await inWorld(1, async (node) => {
      node.disk.readOnly = true;
      await assert.rejects(open(node), /store directory \/store cannot be made: not writable/);
      node.disk.readOnly = false;
      await (await open(node)).close();
      node.disk.readOnly = true;
      await assert.rejects(open(node), /store directory \/store cannot be (made|used): not writable/);
    });
  });

  test('is refused while another broker has it', async () => {
    await inWorld(2, async (node) => {
      const store = await open(node);
      await assert.rejects(open(node), /store directory \/store cannot be used/);
      await store.close();
      await (await open(node)).close();
    });
  });

  test('is refused when a segment has another size than configured', async () => {
    await inWorld(3, async (node) => {
      await (await open(node)).close();
      const store = await open(node);
      await put(store, messageOf());
      await store.close();
      await assert.rejects(
        open(node, { mappedFileSizeCommitLog: 2 << 20 }),
        /has 1048576 bytes, but mappedFileSizeCommitLog/,
      );
      await (await open(node)).close();
    });
  });
});
