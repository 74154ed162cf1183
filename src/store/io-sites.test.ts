import assert from 'node:assert/strict';
import type { DiskErrorCode } from '../io/mod.ts';
import type { SimNode, SimWorld } from '../testing/mod.ts';
import { inWorld, messageOf, open, put, recordsOf, type Settings } from './fixture.ts';
import type { MessageStore } from './mod.ts';

/**
 * Every call that a store makes to its disk, failing: a scripted life (start, sends with rolls, checkpoints, queries,
 * deletion of a topic, retention, stop, start) is run once for each call, which then fails, once or from there on.
 *
 * - The store opens again, with all that was acknowledged (sends are synced before the answer, and power fails at the end).
 * - A refused send says why. While it is open, the store takes messages again within 5 s of the disk's recovery.
 *
 * `npm run test:store` takes every call, other runs a part of them, always the same.
 */
const every = process.argv.includes('--every');
const { describe, test } = every ? await import('../../test/store/plain-test.ts') : await import('node:test');
const settings: Settings = {
  flushDiskType: 'SYNC_FLUSH',
  mappedFileSizeCommitLog: 4096,
  mappedFileSizeConsumeQueue: 100,
  maxIndexNum: 8,
  fileReservedTime: 1,
  cleanResourceInterval: 2000,
  deleteWhen: '00;01;02;03;04;05;06;07;08;09;10;11;12;13;14;15;16;17;18;19;20;21;22;23',
};

interface Acknowledged {
  topic: string;
  queueId: number;
  queueOffset: number;
  physicalOffset: number;
  body: string;
}

class Life {
  readonly #node: SimNode;
  readonly #world: SimWorld;
  readonly acknowledged: Acknowledged[] = [];
  /** The sentences of refused sends. */
  readonly causes: (string | undefined)[] = [];
  store: MessageStore | undefined;
  #sent = 0;

  constructor(node: SimNode, world: SimWorld) {
    this.#node = node;
    this.#world = world;
  }

  async run(): Promise<void> {
    if (!(await this.#open())) return;
    await this.#send(14);
    await this.#world.sleep(2500);
    await this.#look();
    await this.#try(this.store?.deleteTopic('b'));
    this.#forget('b');
    await this.#send(4);
    this.#node.clock.jump(2 * 3_600_000);
    await this.#world.sleep(5000);
    await this.#send(3);
    await this.#try(this.store?.close());
    this.store = undefined;
    if (!(await this.#open())) return;
    await this.#send(3);
    await this.#world.sleep(1500);
    await this.#look();
  }

  async #open(): Promise<boolean> {
    try {
      this.store = await open(this.#node, settings);
      return true;
    } catch (error) {
      assert.ok(error instanceof Error && error.message.length > 10, String(error));
      return false;
    }
  }

  async #send(count: number): Promise<void> {
    for (let i = 0; i < count && this.store !== undefined; i++) {
      const n = this.#sent++;
      const message = { topic: n % 3 === 0 ? 'b' : 'a', queueId: n % 2, body: `m${n}`.padEnd(500, '.'), keys: `k${n}` };
      const { status, cause, queueOffset, physicalOffset } = await put(this.store, messageOf(message));
      if (status === 'ok') this.acknowledged.push({ ...message, queueOffset, physicalOffset });
      else this.causes.push(cause);
    }
  }

  async #look(): Promise<void> {
    const { store } = this;
    if (store === undefined) return;
    const range = { beginTimestampMs: 0, endTimestampMs: 9e15 };
    await this.#try(store.queryIndex({ topic: 'a', key: 'k1', maxMessages: 8, ...range }));
    await this.#try(store.recordAt(store.health().minPhysicalOffset));
    await this.#try(store.offsetByTime('a', 0, 0, 'lower'));
    const got = await this.#try(store.get({ topic: 'a', queueId: 1, offset: 0, maxMessages: 32 }));
    if (got !== undefined) (got as { release(): void }).release();
  }

  /** What may fail with the disk, and with nothing else. */
  async #try(work: unknown): Promise<unknown> {
    try {
      return await work;
    } catch (error) {
      assert.equal(error instanceof Error && error.name, 'DiskError', error instanceof Error ? error.stack : '');
      return undefined;
    }
  }

  #forget(topic: string): void {
    const kept = this.acknowledged.filter((message) => message.topic !== topic);
    this.acknowledged.splice(0, this.acknowledged.length, ...kept);
  }
}

async function check(store: MessageStore, { acknowledged }: Life, why: string): Promise<void> {
  const { minPhysicalOffset } = store.health();
  for (const { topic, queueId, queueOffset, physicalOffset, body } of acknowledged) {
    if (physicalOffset < minPhysicalOffset) continue;
    const got = await store.get({ topic, queueId, offset: queueOffset, maxMessages: 1 });
    assert.equal(got.status, 'FOUND', `${why}: ${topic}/${queueId} lost its message ${queueOffset}`);
    assert.equal(Buffer.from(recordsOf(got)[0]?.body ?? []).toString(), body, why);
    got.release();
  }
}

const operations = [
  'open',
  'read',
  'write',
  'sync',
  'truncate',
  'size',
  'close',
  'make directory',
  'list',
  'stat',
  'rename',
  'remove',
  'remove tree',
  'sync directory',
  'space',
  'lock',
] as const;

/** Gives whether the call was made at all. */
async function runWith(
  fault: { operation: (typeof operations)[number]; code: DiskErrorCode; skip: number; times: number },
  power: 'fails' | 'stays',
): Promise<boolean> {
  const why = `${fault.operation} ${fault.skip} ${fault.code} x ${fault.times}, power ${power}`;
  let met = false;
  await inWorld(7, async (node, world) => {
    node.disk.inject(fault);
    const life = new Life(node, world);
    try {
      await life.run();
      met = node.disk.faultCount > 0;
      if (!met) return;
      assert.ok(
        life.causes.every((cause) => cause !== undefined && cause.length > 10),
        `${why}: ${life.causes}`,
      );
      node.disk.heal();
      const { store } = life;
      if (store !== undefined) {
        await world.until(() => store.health().writable, 5000, `${why}: writable`);
        assert.equal((await put(store, messageOf())).status, 'ok', why);
        await check(store, life, why);
      }
      if (power === 'fails') {
        node.crash();
        node.restart();
      } else if (store === undefined) {
        node.kill();
        node.restart();
      } else {
        await store.close();
      }
      const again = await open(node, settings);
      await check(again, life, why);
      assert.equal((await put(again, messageOf())).status, 'ok', why);
      await again.close();
      await (await open(node, settings)).close();
    } catch (error) {
      throw new Error(why, { cause: error });
    }
  });
  return met;
}

describe('a store whose disk fails at any call', () => {
  for (const operation of operations) {
    for (const [code, times] of [
      ['EIO', 1],
      ['ENOSPC', 1],
      ['EIO', 1_000_000],
      ['EROFS', 1_000_000],
    ] as const) {
      test(`${operation}: ${code} ${times === 1 ? 'once' : 'from there on'}`, async () => {
        let count = 0;
        for (let skip = 0; ; skip += every ? 1 : Math.max(1, Math.ceil(skip / 3))) {
          if (!(await runWith({ operation, code, skip, times }, skip % 2 === 0 ? 'fails' : 'stays'))) break;
          count += 1;
        }
        assert.ok(count > 0, 'the script makes such a call');
      });
    }
  }
});
