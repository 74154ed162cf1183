import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeCluster } from '../../test/client/fake-cluster.ts';
import { SimWorld } from '../testing/mod.ts';
import { Client } from './client.ts';
import { BrokerOffsets, LocalOffsets } from './offset-store.ts';

const queue = { topic: 'T', brokerName: 'a', queueId: 0 };

test('what was known of a queue that was given back is not committed when it comes again', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const client = new Client(world.node('client').env, cluster);
    await client.routes.route('T');
    const offsets = new BrokerOffsets(client, 'g');
    offsets.update(queue, 7);
    await offsets.persist([queue]);
    offsets.forget(queue);
    cluster.brokers[0].offsets.set('g T 0', 50);
    assert.equal(offsets.current(queue), undefined);
    await offsets.persist([queue]);
    assert.equal(await offsets.load(queue), 50);
    await client.close();
  });
});

test('a broadcast consumer keeps its own offsets, also of a queue that goes and comes back', async () => {
  const offsets = new LocalOffsets();
  assert.equal(await offsets.load(queue), undefined);
  offsets.update(queue, 7);
  offsets.forget();
  assert.equal(await offsets.load(queue), 7);
});
