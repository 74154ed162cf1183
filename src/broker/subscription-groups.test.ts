import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, readStateFile, StateFile } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { type GroupRules, readGroup, SubscriptionGroups } from './subscription-groups.ts';

const path = '/store/config/subscriptionGroup.json';

function inWorld(
  run: (open: (rules?: Partial<GroupRules>) => Promise<SubscriptionGroups>, disk: Disk) => Promise<void>,
) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { disk, clock, timers, log } = world.node('broker').env;
      const open = (rules: Partial<GroupRules> = {}) =>
        SubscriptionGroups.open(
          { autoCreateSubscriptionGroup: true, enableCreateSysGroup: true, ...rules },
          { disk, clock, timers, log },
          path,
        );
      await run(open, disk);
    });
  };
}

test(
  'the first use of a group creates it with defaults, when its name is one',
  inWorld(async (open) => {
    const groups = await open();
    const group = groups.findOrCreate('mine');
    assert.deepEqual(
      [group?.retryMaxTimes, group?.retryQueueNums, group?.consumeEnable, group?.notifyConsumerIdsChangedEnable],
      [16, 1, true, true],
    );
    assert.equal(groups.findOrCreate('no good'), undefined);
    assert.equal(groups.findOrCreate('g'.repeat(121)), undefined);
    await groups.save();
    assert.equal((await open()).has('mine'), true);
  }),
);

test(
  'what this version does not know of the file and its rows is written again, also when the group changes',
  inWorld(async (open, disk) => {
    const text = '{"groupTier":1,"subscriptionGroupTable":{"g":{"retryMaxTimes":2,"newMember":{"later":[true]}}}}';
    await new StateFile(disk, path, () => Buffer.from(text)).save();
    const groups = await open();
    await groups.put({ ...readGroup('g', {}), retryMaxTimes: 1 });
    const written = String(Buffer.from((await readStateFile(disk, path)) ?? []));
    assert.match(written, /"groupTier":1/);
    assert.match(written, /"retryMaxTimes":1,.*"newMember":\{"later":\[true\]\}/);
    assert.equal((await open()).findOrCreate('g')?.retryMaxTimes, 1);
  }),
);

test(
  'without automatic creation only system groups appear',
  inWorld(async (open) => {
    const groups = await open({ autoCreateSubscriptionGroup: false });
    assert.equal(groups.findOrCreate('mine'), undefined);
    assert.notEqual(groups.findOrCreate('CID_RMQ_SYS_X'), undefined);
    const strict = await open({ autoCreateSubscriptionGroup: false, enableCreateSysGroup: false });
    assert.equal(strict.findOrCreate('CID_RMQ_SYS_Y'), undefined);
  }),
);

test(
  "a Java broker's file is read, with what it forbids, and written back whole",
  inWorld(async (open, disk) => {
    const row =
      '{"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":false,"consumeFromMinEnable":true,' +
      '"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"g","groupRetryPolicy":{"type":"EXPONENTIAL",' +
      '"exponentialRetryPolicy":{"initial":5000,"max":7200000,"multiplier":2}},"groupSysFlag":0,' +
      '"notifyConsumerIdsChangedEnable":true,"retryMaxTimes":3,"retryQueueNums":2,"whichBrokerWhenConsumeSlowly":1}';
    const text = `{"dataVersion":{"counter":4,"stateVersion":0,"timestamp":9},"forbiddenTable":{"g":{"T":4}},"subscriptionGroupTable":{"g":${row}}}`;
    await new StateFile(disk, path, () => Buffer.from(text)).save();
    const groups = await open();
    const group = groups.findOrCreate('g');
    assert.deepEqual([group?.consumeEnable, group?.retryMaxTimes, group?.retryQueueNums], [false, 3, 2]);
    assert.equal(groups.isReadForbidden('g', 'T'), true);
    assert.equal(groups.isReadForbidden('g', 'U'), false);
    await groups.save();
    const again = await open();
    const json = new Map(again.sortedRows()).get('g') ?? '';
    assert.deepEqual(JSON.parse(json), JSON.parse(row));
    assert.equal(again.forbiddenJson(new Set(['g'])), '{"g":{"T":4}}');
    assert.equal(again.version.counter, 4);
    await again.delete('g');
    again.findOrCreate('g');
    assert.equal(again.isReadForbidden('g', 'T'), false);
  }),
);

test(
  'a deleted group is gone, and its next use makes a new one',
  inWorld(async (open) => {
    const groups = await open();
    await groups.put({ ...readGroup('g', {}), retryMaxTimes: 1 });
    assert.equal(groups.findOrCreate('g')?.retryMaxTimes, 1);
    await groups.delete('g');
    assert.equal((await open()).has('g'), false);
    assert.equal(groups.findOrCreate('g')?.retryMaxTimes, 16);
  }),
);
