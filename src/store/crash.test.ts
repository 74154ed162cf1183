import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SimNode, SimRandom, SimWorld } from '../testing/mod.ts';
import { inWorld, messageOf, open, put, recordsOf, type Settings } from './fixture.ts';
import type { MessageStore, PutResult } from './mod.ts';

/**
 * Stores under random loads that end in random ways. After each start the store must hold exactly a stretch of what was
 * sent: every queue dense and in order, nothing twice, nothing that nobody sent, and all that was acknowledged, unless
 * power failed under asynchronous flush, where a suffix of the log may be gone.
 */
interface Acknowledged {
  queue: string;
  queueOffset: number;
  physicalOffset: number;
  body: string;
}

class Model {
  /** By body: the queue it was sent to. */
  readonly sent = new Map<string, string>();
  acknowledged: Acknowledged[] = [];
  #count = 0;

  next(queue: string, random: SimRandom): string {
    const body = `${this.#count++}`.padEnd(random.pick([8, 60, 300, 900]), '.');
    this.sent.set(body, queue);
    return body;
  }

  acknowledge(queue: string, body: string, result: PutResult): void {
    assert.equal(result.status, 'ok', result.cause);
    const { queueOffset, physicalOffset } = result;
    this.acknowledged.push({ queue, queueOffset, physicalOffset, body });
  }
}

async function load(store: MessageStore, model: Model, world: SimWorld, random: SimRandom): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const topic = random.pick(['a', 'b']);
    const queueId = random.below(2);
    const queue = `${topic}/${queueId}`;
    const bodies = Array.from({ length: random.chance(0.2) ? 1 + random.below(8) : 1 }, () =>
      model.next(queue, random),
    );
    const messages = bodies.map((body) => messageOf({ topic, queueId, body, keys: body.replaceAll('.', '') }));
    const [first] = messages;
    const take = (results: PutResult[]) => {
      for (const [at, result] of results.entries())
        if (result.status === 'ok') model.acknowledge(queue, bodies[at], result);
    };
    if (first !== undefined && messages.length === 1) store.put(first, (result) => take([result]));
    else store.putBatch(messages, take);
    if (random.chance(0.5)) await world.sleep(random.below(20));
  }
}

async function check(store: MessageStore, model: Model, lossFrom: number): Promise<void> {
  const found = new Map<string, string[]>();
  const end = store.health().maxPhysicalOffset;
  const seen = new Set<string>();
  for (const topic of store.topics()) {
    for (const queueId of store.queuesOf(topic)) {
      const bodies: string[] = [];
      const max = store.maxOffset(topic, queueId);
      for (let offset = 0; offset < max; ) {
        const got = await store.get({ topic, queueId, offset, maxMessages: 32 });
        assert.equal(got.status, 'FOUND', `${topic}/${queueId} at ${offset} of ${max}`);
        for (const record of recordsOf(got)) {
          assert.equal(record.queueOffset, bodies.length, 'queue offsets are dense');
          assert.deepEqual([record.topic, record.queueId], [topic, queueId]);
          const body = Buffer.from(record.body).toString('utf8');
          assert.equal(model.sent.get(body), `${topic}/${queueId}`, 'nothing that nobody sent');
          assert.ok(!seen.has(body), 'nothing twice');
          seen.add(body);
          bodies.push(body);
        }
        offset = got.nextOffset;
        got.release();
      }
      found.set(`${topic}/${queueId}`, bodies);
    }
  }
  const lost = model.acknowledged.filter(({ queue, queueOffset, body }) => found.get(queue)?.[queueOffset] !== body);
  for (const { queue, queueOffset, physicalOffset } of lost) {
    assert.ok(physicalOffset >= lossFrom, `${queue} lost its message ${queueOffset} at ${physicalOffset} of ${end}`);
    assert.ok(physicalOffset >= end, `a hole at ${physicalOffset}, the log ends at ${end}`);
  }
  model.acknowledged = model.acknowledged.filter((message) => !lost.includes(message));
  for (const { queue, body } of model.acknowledged.slice(-3)) {
    const [topic = ''] = queue.split('/');
    const key = body.replaceAll('.', '');
    const { records } = await store.queryIndex({
      topic,
      key,
      maxMessages: 10,
      beginTimestampMs: 0,
      endTimestampMs: 1e15,
    });
    assert.ok(
      records.some((record) => Buffer.from(record).includes(body)),
      `key ${key} is in the index`,
    );
  }
}

type Ending = 'kill' | 'crash' | 'close';

async function rounds(
  node: SimNode,
  world: SimWorld,
  settings: Settings,
  endings: readonly [Ending, ...Ending[]],
  trouble: boolean,
) {
  const random = world.random;
  const model = new Model();
  let lossFrom = Number.POSITIVE_INFINITY;
  let flushed = 0;
  for (let round = 0; round < 6; round++) {
    // Sometimes the recovery itself is interrupted.
    if (round > 0 && random.chance(0.3)) {
      const opening = open(node, settings).catch(() => {});
      await world.sleep(random.below(30));
      if (endings.includes('crash')) {
        lossFrom = Math.min(lossFrom, flushed);
        node.crash();
      }
      void opening;
      node.restart();
    }
    const store = await node.whileAlive(open(node, settings));
    await check(store, model, lossFrom);
    const loading = load(store, model, world, random);
    if (trouble) {
      const operation = random.pick(['sync', 'write'] as const);
      node.disk.inject({
        operation,
        code: random.pick(['EIO', 'ENOSPC'] as const),
        skip: random.below(20),
        path: random.pick(['commitlog', '/store/consumequeue', '/store/index', '/store']),
      });
    }
    await world.sleep(random.below(random.pick([20, 200, 3000])));
    const ending = random.pick(endings);
    lossFrom = Number.POSITIVE_INFINITY;
    // With synchronous flush nothing may be lost ever.
    flushed = settings.flushDiskType === 'SYNC_FLUSH' ? lossFrom : store.health().flushedOffset;
    if (ending === 'close') {
      await loading;
      await store.close();
    } else if (ending === 'kill') {
      // After a failed sync the page cache does not hold what it should.
      if (trouble) lossFrom = flushed;
      node.kill();
    } else {
      lossFrom = flushed;
      node.crash();
    }
    node.disk.heal();
    node.restart();
    void loading;
  }
  const store = await open(node, settings);
  await check(store, model, lossFrom);
  await world.until(() => store.health().writable, 5000, 'writable');
  const result = await put(store, messageOf({ body: 'last' }));
  assert.equal(result.status, 'ok');
  await store.close();
}

/** Seeds that once found something, and new ones: all other runs take theirs from the environment. */
const found = [24, 53, 56, 68, 135];
const first = Number(process.env.SEED ?? 1);
const count = Number(process.env.SEEDS ?? 1);
const seeds = [...(process.env.SEED === undefined ? found : []), ...Array.from({ length: count }, (_, i) => first + i)];
const small: Settings = { mappedFileSizeCommitLog: 8192, flushIntervalConsumeQueue: 50, flushIntervalCommitLog: 50 };

describe('a store that stops in any way', () => {
  for (const flushDiskType of ['SYNC_FLUSH', 'ASYNC_FLUSH']) {
    const settings = { ...small, flushDiskType };
    test(`loses nothing acknowledged when the process is killed, ${flushDiskType}`, async () => {
      for (const seed of seeds) {
        await inWorld(seed, (node, world) => rounds(node, world, settings, ['kill', 'close'], false)).catch(
          named(seed),
        );
      }
    });
    test(`loses at most an unsynced suffix when power fails, ${flushDiskType}`, async () => {
      for (const seed of seeds) {
        await inWorld(seed, (node, world) => rounds(node, world, settings, ['crash', 'kill'], false)).catch(
          named(seed),
        );
      }
    });
    test(`acknowledges nothing that a failed write or sync may have lost, ${flushDiskType}`, async () => {
      for (const seed of seeds) {
        await inWorld(seed, (node, world) => rounds(node, world, settings, ['crash', 'kill', 'close'], true)).catch(
          named(seed),
        );
      }
    });
  }
});

function named(seed: number) {
  return (error: unknown) => {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
  };
}
