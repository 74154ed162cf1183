import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBroker } from '../../test/broker/sim-broker.ts';

const late = {
  topic: 'LateTopic',
  defaultTopic: 'TBW102',
  readQueueNums: 3,
  writeQueueNums: 3,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  order: false,
} as const;

test(
  'a topic and a group that a full disk did not take are written when there is room again',
  withBroker(async ({ ask, node, world, restart }) => {
    node.disk.inject({ operation: 'write', path: 'config', code: 'ENOSPC', times: Number.MAX_SAFE_INTEGER });
    assert.notEqual((await ask('updateAndCreateTopic', late)).code, 0);
    assert.notEqual((await ask('updateAndCreateSubscriptiongroup', {}, { body: '{"groupName":"LateGroup"}' })).code, 0);
    await world.sleep(5000);
    node.disk.heal();
    await world.sleep(5000);
    await restart('kill');
    assert.equal((await ask('getTopicConfig', { topic: 'LateTopic' })).code, 0);
    assert.equal((await ask('getSubscriptiongroupConfig', { group: 'LateGroup' })).code, 0);
  }),
);
