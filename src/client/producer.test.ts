import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeCluster } from '../../test/client/fake-cluster.ts';
import { decodeProperties, decodeRecord } from '../message/mod.ts';
import { RemotingError } from '../remoting/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { Client, ClientError, type ClientOptions, Producer, queuesToPublish } from './mod.ts';

const bytes = (text: string) => Buffer.from(text);

function inWorld(run: (world: SimWorld) => Promise<void>) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(() => run(world));
  };
}

function newClient(world: SimWorld, options: ClientOptions): Client {
  return new Client(world.node('client').env, options);
}

test(
  'a message arrives with its key, tag, keys, properties and flag, and the sender learns where it is',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    const result = await producer.send({
      topic: 'T',
      body: bytes('hello'),
      tag: 'A',
      keys: ['k1', 'k2'],
      properties: { color: 'red' },
      delayLevel: 3,
      waitForStore: false,
      flag: 9,
    });
    const record = decodeRecord(cluster.brokers[0].records('T', 0)[0], 0);
    assert.equal(Buffer.from(record.body).toString(), 'hello');
    assert.equal(record.flag, 9);
    assert.deepEqual(
      [...decodeProperties(record.properties)],
      [
        ['color', 'red'],
        ['KEYS', 'k1 k2'],
        ['TAGS', 'A'],
        ['DELAY', '3'],
        ['WAIT', 'false'],
        ['UNIQ_KEY', result.messageId],
      ],
    );
    assert.deepEqual(
      { status: result.status, queue: result.queue, queueOffset: result.queueOffset },
      { status: 'SEND_OK', queue: { topic: 'T', brokerName: 'a', queueId: 0 }, queueOffset: 0 },
    );
    assert.equal(result.offsetMessageId.length, 32);
  }),
);

test(
  'messages go to all queues in turn; with a hash key always to the same one; or to the queue that was named',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 2 } });
    const client = newClient(world, cluster);
    const producer = new Producer(client, { group: 'p' });
    const send = async (target = {}) => {
      const { queue } = await producer.send({ topic: 'T', body: bytes('x') }, target);
      return `${queue.brokerName}${queue.queueId}`;
    };
    const inTurn = [await send(), await send(), await send(), await send()];
    assert.deepEqual(inTurn.sort(), ['a0', 'a1', 'b0', 'b1']);
    const hashed = await send({ hashKey: 'user-42' });
    assert.equal(await send({ hashKey: 'user-42' }), hashed);
    const queues = await queuesToPublish(client, 'T');
    assert.equal(await send({ queue: queues[3] }), 'b1');
  }),
);

test(
  'a refusal that another broker may not share is tried there; one that all share is not tried again',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    const [a, b] = cluster.brokers;
    for (const code of [17, 14, 1, 2, 16, 204, 205]) {
      a.refusals.set('sendMessageV2', [code]);
      b.refusals.set('sendMessageV2', []);
      const { queue } = await producer.send({ topic: 'T', body: bytes(`${code}`) });
      if (a.refusals.get('sendMessageV2')?.length === 0) assert.equal(queue.brokerName, 'b');
    }
    for (const code of [13, 29, 215]) {
      a.refusals.set('sendMessageV2', [code]);
      b.refusals.set('sendMessageV2', [code]);
      await assert.rejects(
        producer.send({ topic: 'T', body: bytes('x') }),
        (error) => error instanceof ClientError && error.code === code && error.failure === 'refused',
      );
      assert.equal((a.refusals.get('sendMessageV2')?.length ?? 0) + (b.refusals.get('sendMessageV2')?.length ?? 0), 1);
    }
  }),
);

test(
  'a broker that died is passed by, also before the name server knows',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    await producer.send({ topic: 'T', body: bytes('0') });
    cluster.brokers[0].node.kill();
    for (let i = 0; i < 8; i++) {
      const { queue } = await producer.send({ topic: 'T', body: bytes(`${i}`) });
      assert.equal(queue.brokerName, 'b');
    }
  }),
);

test(
  'a send ends after its time, with all attempts in it',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const client = newClient(world, cluster);
    const producer = new Producer(client, { group: 'p', timeoutMs: 1000 });
    await producer.send({ topic: 'T', body: bytes('x') });
    world.cut(world.node('client'), cluster.brokers[0].node);
    const beganMs = world.nowMs;
    await assert.rejects(producer.send({ topic: 'T', body: bytes('y') }), RemotingError);
    assert.ok(world.nowMs - beganMs >= 990 && world.nowMs - beganMs <= 1100, `${world.nowMs - beganMs}`);
  }),
);

test(
  'statuses short of OK are results, not errors',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    cluster.brokers[0].lateStatus = 10;
    assert.equal((await producer.send({ topic: 'T', body: bytes('x') })).status, 'FLUSH_DISK_TIMEOUT');
    cluster.brokers[0].lateStatus = 11;
    assert.equal((await producer.send({ topic: 'T', body: bytes('x') })).status, 'SLAVE_NOT_AVAILABLE');
  }),
);

test(
  'a batch is one request and lies in one queue, in order',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    const result = await producer.sendBatch(
      ['1', '2', '3'].map((text) => ({ topic: 'T', body: bytes(text), tag: text })),
    );
    const records = cluster.brokers[0].records('T', result.queue.queueId).map((record) => decodeRecord(record, 0));
    assert.deepEqual(
      records.map(({ body }) => Buffer.from(body).toString()),
      ['1', '2', '3'],
    );
    const keys = records.map(({ properties }) => decodeProperties(properties).get('UNIQ_KEY'));
    assert.equal(result.messageId, keys.join(','));
    assert.equal(result.offsetMessageId.split(',').length, 3);
    await assert.rejects(producer.sendBatch([]), /batch is empty/);
    await assert.rejects(
      producer.sendBatch([
        { topic: 'T', body: bytes('1') },
        { topic: 'U', body: bytes('2') },
      ]),
      /one topic/,
    );
  }),
);

test(
  'a one-way send arrives without an answer',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    await producer.sendOneway({ topic: 'T', body: bytes('x') });
    await world.until(() => cluster.brokers[0].records('T', 0).length === 1, 1000, 'the message arrived');
  }),
);

test(
  'an unknown topic is sent to where it will be created, with at most four queues',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { TBW102: 8 } });
    const client = newClient(world, cluster);
    assert.equal((await queuesToPublish(client, 'New')).length, 4);
    const producer = new Producer(client, { group: 'p' });
    await producer.send({ topic: 'New', body: bytes('x') });
    cluster.topics.set('New', 8);
    await world.sleep(31_000);
    assert.equal((await queuesToPublish(client, 'New')).length, 8);
    cluster.topics.delete('TBW102');
    await assert.rejects(
      producer.send({ topic: 'Other', body: bytes('x') }),
      (error) => error instanceof ClientError && error.failure === 'no route',
    );
  }),
);

test(
  'the next name server is asked when one does not answer, and all of them are named when none does',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { nameServerCount: 3, topics: { T: 1, U: 1, V: 1, W: 1 } });
    const client = newClient(world, cluster);
    const producer = new Producer(client, { group: 'p' });
    for (const [index, topic] of ['T', 'U', 'V'].entries()) {
      await producer.send({ topic, body: bytes('x') });
      if (index < 2) world.node(`namesrv-${index}`).kill();
    }
    world.node('namesrv-2').kill();
    await assert.rejects(producer.send({ topic: 'W', body: bytes('x') }), /no name server answered: .*9876, .*9876, /);
  }),
);

test(
  'what a broker would refuse is refused before it is sent',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    const body = bytes('x');
    for (const message of [
      { topic: 'T', body: bytes('') },
      { topic: 'T', body: Buffer.alloc(4 * 1024 * 1024 + 1) },
      { topic: 'a b', body },
      { topic: 'T', body, keys: ['two words'] },
      { topic: 'T', body, tag: 'A||B' },
      { topic: 'T', body, properties: { UNIQ_KEY: 'mine' } },
      { topic: 'T', body, properties: { a: 'b\u0001c' } },
      { topic: 'T', body, properties: { a: 'b'.repeat(32_767) } },
    ]) {
      await assert.rejects(
        producer.send(message),
        (error) => error instanceof ClientError && error.failure === 'invalid',
      );
    }
    assert.equal(cluster.brokers[0].asked.get('sendMessageV2'), undefined);
  }),
);

test(
  'more sends at once than allowed are refused, not queued',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p', inFlightMax: 2 });
    const sends = ['1', '2', '3'].map((text) => producer.send({ topic: 'T', body: bytes(text) }));
    const settled = await Promise.allSettled(sends);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
    await producer.send({ topic: 'T', body: bytes('4') });
  }),
);

test(
  'brokers hear of a producer with its first send and when it stops; a closed client sends nothing more',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const client = newClient(world, cluster);
    const producer = new Producer(client, { group: 'p' });
    assert.throws(() => new Producer(client, { group: 'p' }), /in use/);
    await producer.send({ topic: 'T', body: bytes('x') });
    await world.sleep(10);
    const [broker] = cluster.brokers;
    assert.deepEqual(
      broker.heartbeats[0].producerDataSet.map(({ groupName }) => groupName),
      ['p'],
    );
    await client.close();
    assert.equal(broker.unregistered.length, 1);
    await assert.rejects(producer.send({ topic: 'T', body: bytes('y') }), /stopped/);
    assert.throws(() => new Producer(client, { group: 'q' }), /closed/);
    await world.sleep(120_000);
    assert.equal(broker.heartbeats.length, 1);
  }),
);

test(
  'a name server that was started anew, and knows no topic yet, takes no route away from a producer',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const producer = new Producer(newClient(world, cluster), { group: 'p' });
    await producer.send({ topic: 'T', body: bytes('1') });
    const [broker] = cluster.brokers;
    broker.refusals.set('sendMessageV2', [14, 14, 14]);
    await assert.rejects(producer.send({ topic: 'T', body: bytes('2') }));
    cluster.topics.delete('T');
    await producer.send({ topic: 'T', body: bytes('3') });
    assert.equal(broker.records('T', 0).length, 2);
  }),
);
