import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPeer } from '../../test/broker/fake-peer.ts';
import { SimWorld } from '../testing/mod.ts';
import { type HeldPull, LongPolling } from './long-polling.ts';

interface World {
  polling: LongPolling;
  /** Offsets of pulls that were answered. */
  answered: number[];
  dropped: number[];
  hold(offset: number, more?: Partial<HeldPull>): boolean;
  after(ms: number): Promise<void>;
  ends: Map<string, number>;
}

function inWorld(run: (world: World) => Promise<void>) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { clock, timers } = world.node('broker').env;
      const ends = new Map<string, number>();
      const answered: number[] = [];
      const dropped: number[] = [];
      const polling = new LongPolling({ clock, timers }, (topic, queueId) => ends.get(`${topic}-${queueId}`) ?? 0);
      const peer = newPeer(1);
      await run({
        polling,
        answered,
        dropped,
        ends,
        hold: (offset, more = {}) =>
          polling.hold({
            peer,
            topic: 'T',
            queueId: 0,
            offset,
            accepts: undefined,
            holdMs: 15_000,
            run: () => answered.push(offset),
            drop: () => dropped.push(offset),
            ...more,
          }),
        after: (ms) => new Promise((resolve) => timers.after(ms, resolve)),
      });
      polling.close();
    });
  };
}

test(
  'a held pull is answered by a message in its queue, at its offset or later, once',
  inWorld(async ({ polling, answered, hold, after }) => {
    hold(5);
    polling.arrived('T', 1, 5, 0);
    polling.arrived('U', 0, 5, 0);
    polling.arrived('T', 0, 4, 0);
    await after(1);
    assert.deepEqual(answered, []);
    polling.arrived('T', 0, 5, 0);
    polling.arrived('T', 0, 6, 0);
    await after(1);
    assert.deepEqual(answered, [5]);
    assert.equal(polling.size, 0);
  }),
);

test(
  'a message with another tag does not wake a pull, but the comparison after 5 s moves it on',
  inWorld(async ({ polling, answered, hold, after, ends }) => {
    hold(0, { accepts: (tagsCode) => tagsCode === 7 });
    polling.arrived('T', 0, 0, 8);
    ends.set('T-0', 1);
    await after(4_900);
    assert.deepEqual(answered, []);
    await after(700);
    assert.deepEqual(answered, [0]);
  }),
);

test(
  'a pull that nothing comes for is answered when its time is up',
  inWorld(async ({ answered, hold, after }) => {
    hold(0);
    await after(14_900);
    assert.deepEqual(answered, []);
    await after(700);
    assert.deepEqual(answered, [0]);
  }),
);

test(
  'a pull whose connection is gone is dropped, and not answered',
  inWorld(async ({ polling, answered, dropped, hold, after }) => {
    const peer = newPeer(2);
    hold(7, { peer });
    hold(0);
    peer.break();
    assert.equal(polling.size, 1);
    assert.deepEqual(dropped, [7]);
    assert.equal(hold(8, { peer }), false);
    polling.arrived('T', 0, 9, 0);
    await after(20_000);
    assert.deepEqual([answered, dropped], [[0], [7]]);
  }),
);

test(
  'a stop answers all that is held, and holds no more',
  inWorld(async ({ polling, answered, hold, after }) => {
    hold(0);
    hold(1);
    polling.close();
    assert.equal(hold(2), false);
    await after(1);
    assert.deepEqual(answered, [0, 1]);
  }),
);
