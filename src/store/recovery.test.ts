import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode } from '../testing/mod.ts';
import { bodiesOf, inWorld, messageOf, open, pull, put } from './fixture.ts';
import { cutLog, type MessageStore, openStoreFiles, planCut } from './mod.ts';

const segment = '/store/commitlog/00000000000000000000';

/** Every readable body of queue 0. */
async function readAll(store: MessageStore): Promise<string[]> {
  const bodies: string[] = [];
  const max = store.maxOffset('topic', 0);
  for (let offset = store.minOffset('topic', 0); offset < max; ) {
    const got = await pull(store, { offset });
    bodies.push(...bodiesOf(got));
    offset = got.nextOffset;
  }
  return bodies;
}

/** A store that was killed with `count` messages, the checkpoint before all of them; gives their places and sizes. */
async function killed(node: SimNode, count: number): Promise<{ offset: number; size: number; body: string }[]> {
  const store = await open(node, { flushIntervalConsumeQueue: 1_000_000 });
  const records = [];
  for (let i = 0; i < count; i++) {
    const body = `m${i}`.padEnd(20, '.');
    const result = await put(store, messageOf({ body, keys: `k${i}` }));
    records.push({ offset: result.physicalOffset, size: result.sizeBytes, body });
  }
  node.kill();
  node.restart();
  return records;
}

function last<T>(items: readonly T[]): T {
  const item = items[items.length - 1];
  assert.ok(item !== undefined);
  return item;
}

/** What a Java broker does to the store that ours left: it knows no file of ours, and its text is in `lock`. */
async function asJava(
  node: SimNode,
  end: 'stop' | 'kill',
  body: (store: MessageStore) => Promise<void>,
): Promise<void> {
  const checkpoint = node.disk.peek('/store/checkpoint.liftmq').slice();
  await node.env.disk.remove('/store/checkpoint.liftmq');
  const store = await open(node, { flushIntervalConsumeQueue: 10 });
  await body(store);
  if (end === 'stop') await store.close();
  else {
    node.kill();
    node.restart();
    node.disk.poke('/store/abort', 0, Buffer.from('1 java'));
  }
  // That of the process that runs now.
  const { disk } = node.env;
  const file = await disk.open('/store/checkpoint.liftmq', 'create');
  await file.truncate(0);
  await file.write(checkpoint, 0, checkpoint.length, 0);
  await file.close();
  await disk.remove('/store/deletions.liftmq');
  node.disk.poke('/store/lock', 0, Buffer.from('lock'));
}

describe('recovery', () => {
  for (const end of ['stop', 'kill'] as const) {
    test(`a topic that a Java broker deleted and made anew begins with its new messages, after a ${end}`, async () => {
      await inWorld(31, async (node, world) => {
        const store = await open(node);
        for (const body of ['old0', 'old1', 'old2']) await put(store, messageOf({ body }));
        await put(store, messageOf({ topic: 'other' }));
        await store.close();
        await asJava(node, end, async (java) => {
          await java.deleteTopic('topic');
          for (const body of ['new0', 'new1']) await put(java, messageOf({ body }));
          await put(java, messageOf({ topic: 'other' }));
          await world.sleep(1000);
        });
        for (let opened = 0; opened < 2; opened++) {
          const again = await open(node);
          assert.deepEqual(await readAll(again), ['new0', 'new1']);
          assert.equal(again.maxOffset('other', 0), 2);
          await again.close();
        }
      });
    });
  }

  test('cuts a tail that was torn at any byte to the longest whole stretch', async () => {
    await inWorld(1, async (node) => {
      const records = await killed(node, 5);
      const end = last(records).offset + last(records).size;
      const whole = node.disk.peek(segment).slice(0, end + 8);
      // Each byte of the last records, and one more: everything behind it was never written.
      for (let cut = records[3]?.offset ?? 0; cut <= end; cut++) {
        node.disk.poke(segment, 0, whole);
        node.disk.poke(segment, cut, new Uint8Array(end - cut));
        const expected = records.filter(({ offset, size }) => offset + size <= cut).map(({ body }) => body);
        const store = await open(node, { flushIntervalConsumeQueue: 1_000_000 });
        assert.deepEqual(await readAll(store), expected, `cut at ${cut}`);
        assert.equal(
          store.health().maxPhysicalOffset,
          expected.length === 0 ? 0 : expected.length * (records[0]?.size ?? 0),
        );
        if (cut % 8 !== 0) {
          await store.close();
          await forgetCheckpoint(node);
          continue;
        }
        // Nothing of what was cut off can come back behind the next message.
        const result = await put(store, messageOf({ body: 'x'.repeat(20), keys: 'k0' }));
        assert.equal(result.queueOffset, expected.length);
        node.kill();
        node.restart();
        const again = await open(node, { flushIntervalConsumeQueue: 1_000_000 });
        assert.deepEqual(await readAll(again), [...expected, 'x'.repeat(20)]);
        await again.close();
        await forgetCheckpoint(node);
      }
    });
  });

  test('accepts no record with a flipped bit: cut when it is the last, refused when a valid one follows', async () => {
    await inWorld(2, async (node) => {
      const records = await killed(node, 4);
      const { offset, size } = last(records);
      const whole = node.disk.peek(segment).slice(0, offset + size);
      const before = records[2];
      assert.ok(before !== undefined);
      // Sizes, magic, checksum, physical offset, body. (The format guards no other field: a bit there goes unnoticed.)
      const guarded = [0, 4, 8, 28, 84, 88];
      for (const at of guarded) {
        node.disk.poke(segment, 0, whole);
        node.disk.flipBit(segment, offset + at, 3);
        const store = await open(node, { flushIntervalConsumeQueue: 1_000_000 });
        assert.deepEqual(
          await readAll(store),
          records.slice(0, 3).map(({ body }) => body),
          `byte ${at} of the last`,
        );
        await store.close();
        await forgetCheckpoint(node);

        node.disk.poke(segment, 0, whole);
        node.disk.flipBit(segment, before.offset + at, 3);
        await assert.rejects(open(node), (error: Error) => {
          assert.match(error.message, new RegExp(`damaged at offset ${before.offset} .*follows at ${offset}`));
          return true;
        });
      }
    });
  });

  test('goes on where a damaged log was cut by hand', async () => {
    await inWorld(8, async (node) => {
      const records = await killed(node, 4);
      const damaged = records[1];
      assert.ok(damaged !== undefined);
      node.disk.flipBit(segment, damaged.offset + 88, 1);
      await assert.rejects(open(node), /damaged at offset/);
      const { disk } = node.env;
      const files = await openStoreFiles(disk, '/store', '/store/commitlog', true);
      const plan = (offset: number) => planCut(files, offset, () => {});
      await assert.rejects(plan(damaged.offset + 1), /damaged|no record begins/);
      await assert.rejects(open(node), /cannot be used/, 'held against a broker');
      const cut = await plan(damaged.offset);
      assert.deepEqual([cut.records, cut.bytes], [2, last(records).offset + last(records).size - damaged.offset]);
      const whole = node.disk.peek(segment);
      const work = { disk, pid: 1, backup: '/store/recovered-1', progress: () => {} };
      await cutLog(files, cut, work);
      await files.close();
      const kept = node.disk.peek('/store/recovered-1/commitlog/00000000000000000000');
      assert.deepEqual(kept.subarray(damaged.offset), whole.subarray(damaged.offset));
      const store = await open(node);
      assert.deepEqual(await readAll(store), [records[0]?.body]);
      await store.close();
    });
  });

  test('builds queues and index again from the log alone', async () => {
    await inWorld(3, async (node) => {
      const store = await open(node, { mappedFileSizeCommitLog: 4096 });
      for (let i = 0; i < 150; i++) await put(store, messageOf({ body: `m${i}`, keys: `k${i}`, tags: `t${i % 3}` }));
      await store.close();
      const queue = '/store/consumequeue/topic/0/00000000000000000000';
      const queueBytes = node.disk.peek(queue);
      for (const name of ['consumequeue', 'index', 'checkpoint', 'checkpoint.liftmq']) {
        await node.env.disk.removeTree(`/store/${name}`);
      }
      const again = await open(node, { mappedFileSizeCommitLog: 4096 });
      assert.equal(again.maxOffset('topic', 0), 150);
      await findsKey(again, 'k3', 1);
      await findsKey(again, 'T#t1', 10);
      await again.close();
      assert.deepEqual(node.disk.peek(queue), queueBytes);
    });
  });

  for (const [what, path] of [
    ['a queue file', '/store/consumequeue/topic/0/00000000000000002000'],
    ['the newest queue file', '/store/consumequeue/topic/0/00000000000000004000'],
    ['a queue', '/store/consumequeue/topic/1'],
    ['our checkpoint', '/store/checkpoint.liftmq'],
    ["Apache's checkpoint", '/store/checkpoint'],
  ] as const) {
    test(`notices that ${what} was lost, and goes on without a hole`, async () => {
      await inWorld(4, async (node) => {
        const store = await open(node);
        for (let i = 0; i < 250; i++) await put(store, messageOf({ body: `m${i}` }));
        for (let i = 0; i < 10; i++) await put(store, messageOf({ body: `n${i}`, queueId: 1 }));
        await store.close();
        await node.env.disk.removeTree(path);
        const again = await open(node);
        assert.deepEqual(
          await readAll(again),
          Array.from({ length: 250 }, (_, i) => `m${i}`),
        );
        assert.equal(again.maxOffset('topic', 1), 10);
        assert.equal((await put(again, messageOf())).queueOffset, 250);
        await again.close();
      });
    });
  }

  test('takes a torn checkpoint of ours for none', async () => {
    await inWorld(5, async (node) => {
      const store = await open(node);
      for (let i = 0; i < 5; i++) await put(store, messageOf({ body: `m${i}` }));
      await store.close();
      const bytes = node.disk.peek('/store/checkpoint.liftmq');
      for (let at = 0; at < bytes.length; at += 3) {
        node.disk.poke('/store/checkpoint.liftmq', 0, bytes);
        node.disk.flipBit('/store/checkpoint.liftmq', at, at % 8);
        const again = await open(node);
        assert.equal(again.maxOffset('topic', 0), 5);
        await again.close();
      }
    });
  });

  test('takes only the tail: a crash long after the checkpoint walks no older record', async () => {
    await inWorld(6, async (node, world) => {
      const store = await open(node, { flushIntervalConsumeQueue: 10 });
      for (let i = 0; i < 200; i++) await put(store, messageOf());
      await world.sleep(3000);
      for (let i = 0; i < 3; i++) await put(store, messageOf());
      node.kill();
      node.restart();
      await open(node);
      const recovered = world.logLines.filter((line) => line.includes('store.recovered')).at(-1) ?? '';
      const records = Number(/"records":(\d+)/.exec(recovered)?.[1]);
      assert.ok(records <= 3, recovered);
    });
  });

  test('puts no record into a queue whose name could leave the directory, or whose offset is out of reach', async () => {
    await inWorld(9, async (node) => {
      const records = await killed(node, 3);
      const [first, second] = records;
      assert.ok(first !== undefined && second !== undefined);
      const topicAt = first.offset + 88 + first.body.length + 1;
      node.disk.poke(segment, topicAt, Buffer.from('../xx'));
      node.disk.poke(segment, second.offset + 20, Uint8Array.of(0, 8));
      leftByOthers(node);
      const store = await open(node);
      assert.deepEqual(store.topics(), ['topic']);
      assert.deepEqual([store.minOffset('topic', 0), store.maxOffset('topic', 0)], [2, 3]);
      assert.ok(!node.disk.namesIn('/store').includes('xx'));
      await store.close();
    });
  });

  test('keeps the place of offsets that the log lacks, and pulls pass over them', async () => {
    await inWorld(10, async (node) => {
      const records = await killed(node, 3);
      node.disk.poke(segment, last(records).offset + 20, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7));
      leftByOthers(node);
      for (const whence of ['memory', 'files']) {
        const store = await open(node);
        assert.equal(store.maxOffset('topic', 0), 8, whence);
        const got = await pull(store, { offset: 2 });
        assert.deepEqual([got.status, got.nextOffset, bodiesOf(got)], ['FOUND', 8, [last(records).body]]);
        assert.equal(await store.timestampAt('topic', 0, 4), -1);
        await store.close();
      }
    });
  });

  test('builds a deleted topic that was made again from its new messages alone', async () => {
    await inWorld(11, async (node) => {
      const store = await open(node);
      for (let i = 0; i < 5; i++) await put(store, messageOf({ body: `old ${i}` }));
      await store.deleteTopic('topic');
      for (let i = 0; i < 3; i++) await put(store, messageOf({ body: `new ${i}` }));
      await store.close();
      for (const damage of ['none', 'deletions.liftmq'] as const) {
        await forgetCheckpoint(node);
        // Without it the old topic comes back, as in Apache; nothing keeps the store from opening.
        if (damage !== 'none') node.disk.flipBit(`/store/${damage}`, 3, 1);
        const again = await open(node);
        const news = ['new 0', 'new 1', 'new 2'];
        const olds = Array.from({ length: 5 }, (_, i) => `old ${i}`);
        assert.deepEqual(await readAll(again), damage === 'none' ? news : olds);
        await again.close();
      }
    });
  });

  test('keeps the first of two records that claim one queue offset', async () => {
    await inWorld(7, async (node) => {
      const records = await killed(node, 2);
      const second = records[1];
      assert.ok(second !== undefined);
      node.disk.poke(segment, second.offset + 20, new Uint8Array(8));
      leftByOthers(node);
      const store = await open(node);
      assert.deepEqual(await readAll(store), [records[0]?.body]);
      await store.close();
    });
  });
});

/** A Java broker was the last to have the store open: what it may have written is taken as it is. */
function leftByOthers(node: SimNode): void {
  node.disk.poke('/store/abort', 0, Buffer.from('4712'.padEnd(node.disk.peek('/store/abort').length)));
}

/** What the next start would believe more than the log. */
async function forgetCheckpoint(node: SimNode): Promise<void> {
  for (const name of ['consumequeue', 'index', 'checkpoint', 'checkpoint.liftmq']) {
    await node.env.disk.removeTree(`/store/${name}`);
  }
}

async function findsKey(store: MessageStore, key: string, count: number): Promise<void> {
  const range = { beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER };
  const { records } = await store.queryIndex({ topic: 'topic', key, maxMessages: 10, ...range });
  assert.equal(records.length, count, `key ${key}`);
}
