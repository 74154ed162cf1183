import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk } from '../io/mod.ts';
import { readStateFile, StateFile } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { ConsumerOffsets } from './consumer-offsets.ts';

const path = '/store/config/consumerOffset.json';

function inWorld(run: (open: () => Promise<ConsumerOffsets>, disk: Disk) => Promise<void>) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { disk, clock, timers, log } = world.node('broker').env;
      await run(() => ConsumerOffsets.open(2, { disk, clock, timers, log }, path), disk);
    });
  };
}

const fileText = async (disk: Disk) => Buffer.from((await readStateFile(disk, path)) ?? []).toString();

test(
  'an offset is what was committed last, per group, topic and queue, also backwards',
  inWorld(async (open) => {
    const offsets = await open();
    assert.equal(offsets.committed('g', 'T', 0), -1);
    offsets.commit('g', 'T', 0, 5);
    offsets.commit('g', 'T', 1, 7);
    offsets.commit('h', 'T', 0, 9);
    offsets.commit('g', 'T', 0, 3);
    assert.deepEqual(
      [offsets.committed('g', 'T', 0), offsets.committed('g', 'T', 1), offsets.committed('h', 'T', 0)],
      [3, 7, 9],
    );
    assert.deepEqual(offsets.groupsOf('T'), ['g', 'h']);
    assert.deepEqual(offsets.topicsOf('g'), ['T']);
  }),
);

test(
  'what was handed out is at least what was committed',
  inWorld(async (open) => {
    const offsets = await open();
    assert.equal(offsets.pulled('g', 'T', 0), -1);
    offsets.commit('g', 'T', 0, 5);
    assert.equal(offsets.pulled('g', 'T', 0), 5);
    offsets.notePulled('g', 'T', 0, 37);
    assert.equal(offsets.pulled('g', 'T', 0), 37);
  }),
);

test(
  'what a Java broker handed out stays known, and so does what this version does not know of the file',
  inWorld(async (open, disk) => {
    const text = '{"lite":{"a":1},"offsetTable":{"T@g":{0:5}},"pullOffsetTable":{"T@g":{0:9},"U@h":{3:4}}}';
    await new StateFile(disk, path, () => Buffer.from(text)).save();
    const offsets = await open();
    assert.deepEqual([offsets.pulled('g', 'T', 0), offsets.pulled('h', 'U', 3)], [9, 4]);
    offsets.commit('g', 'T', 0, 6);
    await offsets.save();
    const written = await fileText(disk);
    assert.match(written, /"U@h":\{3:4\}/);
    assert.match(written, /"lite":\{"a":1\}/);
    const again = await open();
    again.clamp(() => 4);
    assert.deepEqual([again.committed('g', 'T', 0), again.pulled('g', 'T', 0)], [4, 4]);
  }),
);

test(
  "the file has Apache's shape, is written only when something changed, and is read again",
  inWorld(async (open, disk) => {
    const offsets = await open();
    await offsets.save();
    assert.equal(await fileText(disk), '');
    offsets.commit('g', '%RETRY%g', 0, 1);
    offsets.commit('g', 'T', 10, 12);
    offsets.commit('g', 'T', 2, 9);
    offsets.notePulled('g', 'T', 2, 11);
    await offsets.save();
    const version = JSON.stringify(offsets.version);
    const text = (await fileText(disk)).replaceAll(/\s/g, '');
    assert.equal(
      text,
      `{"dataVersion":${version},"groupTopicMap":{"g":["%RETRY%g","T"]},` +
        '"offsetTable":{"%RETRY%g@g":{0:1},"T@g":{2:9,10:12}},"pullOffsetTable":{"T@g":{2:11}}}',
    );
    const again = await open();
    assert.deepEqual([again.committed('g', 'T', 10), again.committed('g', '%RETRY%g', 0)], [12, 1]);
    assert.deepEqual(again.version, offsets.version);
  }),
);

test(
  'a save that finds one under way ends when that is on disk',
  inWorld(async (open, disk) => {
    const offsets = await open();
    offsets.commit('g', 'T', 0, 1);
    const first = offsets.save();
    await Promise.resolve();
    await offsets.save();
    assert.match(await fileText(disk), /\{0:1\}/);
    await first;
  }),
);

test(
  'the data version steps with so many commits, not with each',
  inWorld(async (open) => {
    const offsets = await open();
    const { counter } = offsets.version;
    offsets.commit('g', 'T', 0, 1);
    offsets.commit('g', 'T', 0, 1);
    assert.equal(offsets.version.counter, counter);
    offsets.commit('g', 'T', 0, 2);
    assert.equal(offsets.version.counter, counter + 1);
  }),
);

test(
  'offsets beyond the end of their queue go back to it',
  inWorld(async (open) => {
    const offsets = await open();
    offsets.commit('g', 'T', 0, 50);
    offsets.commit('g', 'T', 1, 50);
    offsets.clamp((_topic, queueId) => (queueId === 0 ? 40 : 60));
    assert.deepEqual([offsets.committed('g', 'T', 0), offsets.committed('g', 'T', 1)], [40, 50]);
    await offsets.save();
    const again = await open();
    again.clamp(() => 40);
    await again.save();
    assert.equal((await open()).committed('g', 'T', 1), 40);
  }),
);

test(
  'deleted groups and topics take their offsets along',
  inWorld(async (open) => {
    const offsets = await open();
    for (const group of ['g', 'h']) for (const topic of ['T', 'U']) offsets.commit(group, topic, 0, 1);
    await offsets.save();
    const left = (some: ConsumerOffsets) => [
      some.committed('g', 'T', 0),
      some.committed('h', 'T', 0),
      some.committed('h', 'U', 0),
    ];
    offsets.forgetGroup('g');
    assert.deepEqual(left(offsets), [-1, 1, 1]);
    await offsets.save();
    assert.deepEqual(left(await open()), [-1, 1, 1]);
    offsets.forgetTopic('U');
    assert.deepEqual(left(offsets), [-1, 1, -1]);
    await offsets.save();
    assert.deepEqual(left(await open()), [-1, 1, -1]);
  }),
);

test(
  'a file of a 4.x broker, with offsets only, is read',
  inWorld(async (open, disk) => {
    await new StateFile(disk, path, () => Buffer.from('{"offsetTable":{"T@g":{0:12,"1":9}}}')).save();
    const offsets = await open();
    assert.deepEqual([offsets.committed('g', 'T', 0), offsets.committed('g', 'T', 1)], [12, 9]);
  }),
);
