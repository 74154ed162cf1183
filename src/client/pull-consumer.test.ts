import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeCluster } from '../../test/client/fake-cluster.ts';
import { SimWorld } from '../testing/mod.ts';
import {
  Client,
  ClientError,
  commitOffset,
  committedOffset,
  maxOffset,
  minOffset,
  offsetByTime,
  PullConsumer,
} from './mod.ts';

test('queues can be read from any offset, and offsets asked for and committed', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const cluster = await startFakeCluster(world, { topics: { T: 2 } });
    const client = new Client(world.node('client').env, cluster);
    const consumer = new PullConsumer(client, { group: 'g', subscriptions: { T: '*' } });
    const [queue] = await consumer.queues('T');
    for (const body of ['0', '1', '2']) {
      cluster.brokers[0].store({ topic: 'T', queueId: 0, body: Buffer.from(body), properties: Buffer.alloc(0) });
      await world.sleep(1000);
    }
    const found = await consumer.pull(queue, 1, { maxMessages: 1 });
    assert.deepEqual(
      { ...found, messages: found.messages.map(({ body }) => Buffer.from(body).toString()) },
      { status: 'found', messages: ['1'], nextOffset: 2, minOffset: 0, maxOffset: 3, suggestedBrokerId: 0 },
    );
    // Without a unique key the broker's id stands for it.
    assert.equal(found.messages[0].messageId, found.messages[0].offsetMessageId);
    assert.equal((await consumer.pull(queue, 3)).status, 'nothing new');
    assert.equal((await consumer.pull(queue, 9)).status, 'offset moved');

    assert.equal(await committedOffset(client, 'g', queue), undefined);
    await commitOffset(client, 'g', queue, 2);
    assert.equal(await committedOffset(client, 'g', queue), 2);
    assert.deepEqual([await minOffset(client, queue), await maxOffset(client, queue)], [0, 3]);
    assert.equal(await offsetByTime(client, queue, found.messages[0].storeTimestampMs), 1);

    await assert.rejects(
      consumer.queues('Unknown'),
      (error) => error instanceof ClientError && error.failure === 'no route',
    );
    await assert.rejects(consumer.pull({ ...queue, topic: 'Other' }, 0), /not subscribed/);
    await client.close();
    assert.equal(cluster.brokers[0].unregistered.length, 1);
  });
});

test('a long poll is answered when a message comes, or when its time is over', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const client = new Client(world.node('client').env, cluster);
    const consumer = new PullConsumer(client, { group: 'g', subscriptions: { T: '*' } });
    const [queue] = await consumer.queues('T');
    const beganMs = world.nowMs;
    assert.equal((await consumer.pull(queue, 0, { suspendMs: 5000 })).status, 'nothing new');
    assert.ok(world.nowMs - beganMs >= 5000);
    const held = consumer.pull(queue, 0, { suspendMs: 5000 });
    await world.sleep(1000);
    cluster.brokers[0].store({ topic: 'T', queueId: 0, body: Buffer.from('x'), properties: Buffer.alloc(0) });
    assert.equal((await held).messages.length, 1);
    assert.ok(world.nowMs - beganMs < 6500);
  });
});

test('records that are out of order or damaged are refused', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    const consumer = new PullConsumer(new Client(world.node('client').env, cluster), {
      group: 'g',
      subscriptions: { T: '*' },
    });
    const [queue] = await consumer.queues('T');
    for (const body of ['0', '1']) {
      broker.store({ topic: 'T', queueId: 0, body: Buffer.from(body), properties: Buffer.alloc(0) });
    }
    broker.records('T', 0).reverse();
    await assert.rejects(consumer.pull(queue, 0), /sent offset 0 after 1/);
    broker.records('T', 0).reverse()[0][88] ^= 1;
    await assert.rejects(consumer.pull(queue, 0), /body CRC/);
  });
});
