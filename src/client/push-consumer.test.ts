import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { type FakeCluster, startFakeCluster } from '../../test/client/fake-cluster.ts';
import { SysFlag } from '../message/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import {
  Client,
  type Listener,
  Producer,
  PushConsumer,
  type PushConsumerOptions,
  type ReceivedMessage,
} from './mod.ts';

function inWorld(run: (world: SimWorld) => Promise<void>) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(() => run(world));
  };
}

const text = (message: ReceivedMessage) => Buffer.from(message.body).toString();

/** A client of its own with one consumer, which is started. */
async function consume(
  world: SimWorld,
  cluster: FakeCluster,
  name: string,
  listener: Listener,
  options: Partial<PushConsumerOptions> = {},
): Promise<{ client: Client; consumer: PushConsumer }> {
  const client = new Client(world.node(name).env, cluster);
  const consumer = new PushConsumer(client, {
    group: 'g',
    subscriptions: { T: '*' },
    from: 'first',
    ...options,
    listener,
  });
  await consumer.start();
  return { client, consumer };
}

/** A listener that keeps what it gets. */
function collect(): { got: ReceivedMessage[]; listener: Listener } {
  const got: ReceivedMessage[] = [];
  return {
    got,
    listener: async (messages) => {
      got.push(...messages);
      return 'success';
    },
  };
}

function put(cluster: FakeCluster, queueId: number, body: string, tag?: string, broker = 0, topic = 'T'): void {
  const properties = Buffer.from(`UNIQ_KEY\u0001id-${body}\u0002${tag === undefined ? '' : `TAGS\u0001${tag}\u0002`}`);
  cluster.brokers[broker].store({ topic, queueId, body: Buffer.from(body), properties });
}

test(
  'the client whose send created a topic can consume it at once',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { TBW102: 8 } });
    const client = new Client(world.node('both').env, cluster);
    await new Producer(client, { group: 'p' }).send({ topic: 'T', body: Buffer.from('first') });
    cluster.topics.set('T', 4);
    const { got, listener } = collect();
    await new PushConsumer(client, { group: 'g', subscriptions: { T: '*' }, from: 'first', listener }).start();
    await world.until(() => got.length === 1, 1000, 'the message');
    assert.deepEqual(got.map(text), ['first']);
  }),
);

test(
  'messages of all queues and brokers come, the old and the new ones, each once',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4 } });
    for (let i = 0; i < 100; i++) put(cluster, i % 4, `old-${i}`, undefined, i % 2);
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.until(() => got.length === 100, 5000, 'the old messages');
    const beganMs = world.nowMs;
    put(cluster, 2, 'new');
    await world.until(() => got.length === 101, 1000, 'the new one');
    assert.ok(world.nowMs - beganMs < 100, 'a held pull answers at once');
    assert.equal(new Set(got.map(text)).size, 101);
    const message = got[100];
    assert.deepEqual(
      { topic: message.topic, queue: message.queue, messageId: message.messageId, times: message.reconsumeTimes },
      { topic: 'T', queue: { topic: 'T', brokerName: 'a', queueId: 2 }, messageId: 'id-new', times: 0 },
    );
  }),
);

test(
  'a group that is new begins where it is told to',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    put(cluster, 0, '1');
    await world.sleep(1000);
    const timestampMs = world.node('client').clock.wallMs() - 500;
    put(cluster, 0, '2');
    const first = collect();
    const last = collect();
    const later = collect();
    await consume(world, cluster, 'client-1', first.listener, { group: 'first' });
    await consume(world, cluster, 'client-2', last.listener, { group: 'last', from: 'last' });
    await consume(world, cluster, 'client-3', later.listener, { group: 'later', from: { timestampMs } });
    put(cluster, 0, '3');
    await world.sleep(1000);
    assert.deepEqual(
      [first, last, later].map(({ got }) => got.map(text)),
      [['1', '2', '3'], ['3'], ['2', '3']],
    );
  }),
);

test(
  'offsets are committed every few seconds and at the stop, and the next consumer goes on there',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const { got, listener } = collect();
    const first = await consume(world, cluster, 'client', listener);
    put(cluster, 0, '1');
    await world.sleep(6000);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 1);
    put(cluster, 0, '2');
    await world.sleep(100);
    await first.client.close();
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 2);
    put(cluster, 0, '3');
    const second = collect();
    await consume(world, cluster, 'client-2', second.listener);
    await world.sleep(1000);
    assert.deepEqual([got.map(text), second.got.map(text)], [['1', '2'], ['3']]);
  }),
);

test(
  'the offset that is committed never passes a message that is not consumed yet',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    for (let i = 0; i < 10; i++) put(cluster, 0, `${i}`);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const listener: Listener = async ([message]) => {
      if (text(message) === '4') await held;
      return 'success';
    };
    await consume(world, cluster, 'client', listener);
    await world.sleep(6000);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 4);
    release();
    await world.sleep(6000);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 10);
  }),
);

test(
  'only messages with a wanted tag come, also where hashes collide, and offsets pass the others',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    // "Aa" and "BB" have the same Java hash.
    for (const [index, tag] of ['Aa', 'BB', 'C', undefined, 'Aa', 'X'].entries()) put(cluster, 0, `${index}`, tag);
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener, { subscriptions: { T: 'Aa || C' } });
    await world.sleep(6000);
    assert.deepEqual(got.map(text), ['0', '2', '4']);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 6);
  }),
);

test(
  'at most as many listeners run as allowed, and batches have at most the size allowed',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    for (let i = 0; i < 80; i++) put(cluster, i % 4, `${i}`);
    let running = 0;
    let runningMax = 0;
    let batchMax = 0;
    let count = 0;
    const listener: Listener = async (messages) => {
      running++;
      runningMax = Math.max(runningMax, running);
      batchMax = Math.max(batchMax, messages.length);
      await world.sleep(10);
      running--;
      count += messages.length;
      return 'success';
    };
    await consume(world, cluster, 'client', listener, { concurrency: 3, batchSizeMax: 4 });
    await world.until(() => count === 80, 5000, 'all are consumed');
    assert.deepEqual([runningMax, batchMax], [3, 4]);
  }),
);

test(
  'a message that fails goes back to its broker and comes again under its own topic, until it is dead',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1, '%RETRY%g': 1 } });
    put(cluster, 0, 'bad');
    const tries: [string, number][] = [];
    const listener: Listener = async ([message]) => {
      tries.push([message.topic, message.reconsumeTimes]);
      if (tries.length === 1) throw new Error('the listener fails');
      return 'later';
    };
    await consume(world, cluster, 'client', listener, { maxReconsumeTimes: 2 });
    await world.sleep(60_000);
    assert.deepEqual(tries, [
      ['T', 0],
      ['T', 1],
      ['T', 2],
    ]);
    assert.deepEqual(cluster.brokers[0].sentBack[0], { group: 'g', delayLevel: 0, messageId: 'id-bad' });
    assert.deepEqual(cluster.brokers[0].dead, ['id-bad']);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 1);
  }),
);

test(
  'a message that the broker does not take back is tried here again, and its offset waits',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    broker.refusals.set('consumerSendMsgBack', [1]);
    put(cluster, 0, 'x');
    const tries: number[] = [];
    const listener: Listener = async ([message]) => {
      tries.push(message.reconsumeTimes);
      return tries.length < 2 ? 'later' : 'success';
    };
    await consume(world, cluster, 'client', listener);
    await world.sleep(4000);
    assert.notEqual(broker.offsets.get('g T 0'), 1);
    await world.sleep(8000);
    assert.deepEqual(tries, [0, 1]);
    assert.equal(broker.offsets.get('g T 0'), 1);
  }),
);

test(
  'two consumers share the queues; when one stops or dies the other takes them all and loses nothing',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4 } });
    const one = collect();
    const two = collect();
    const three = collect();
    const first = await consume(world, cluster, 'client-1', one.listener);
    const second = await consume(world, cluster, 'client-2', two.listener);
    await world.sleep(1000);
    assert.deepEqual(
      [first, second].map(({ consumer }) => consumer.assignment().length),
      [4, 4],
    );
    for (let i = 0; i < 40; i++) put(cluster, i % 4, `${i}`, undefined, i % 2);
    await world.sleep(1000);
    assert.deepEqual([one.got.length, two.got.length], [20, 20]);
    await first.client.close();
    await world.sleep(1000);
    assert.equal(second.consumer.assignment().length, 8);
    const third = await consume(world, cluster, 'client-3', three.listener);
    await world.sleep(1000);
    assert.equal(third.consumer.assignment().length, 4);
    world.node('client-2').kill();
    for (let i = 40; i < 80; i++) put(cluster, i % 4, `${i}`, undefined, i % 2);
    await world.sleep(5000);
    assert.equal(third.consumer.assignment().length, 8);
    const seen = new Set([...one.got, ...two.got, ...three.got].map(text));
    assert.equal(seen.size, 80);
  }),
);

test(
  'a broker that is in the route but does not answer keeps only its own queues from being consumed',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4 } });
    const { got, listener } = collect();
    world.cut(world.node('client'), cluster.brokers[0].node);
    const consuming = consume(world, cluster, 'client', listener);
    put(cluster, 1, 'x', undefined, 1);
    await world.until(() => got.length === 1, 60_000, 'the other broker is consumed');
    world.heal(world.node('client'), cluster.brokers[0].node);
    put(cluster, 1, 'y', undefined, 0);
    await world.until(() => got.length === 2, 60_000, 'this one too, when it answers');
    assert.equal((await consuming).consumer.assignment().length, 8);
  }),
);

test(
  'a consumer that no name server answers is in no group, and can be started later',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const { got, listener } = collect();
    const client = new Client(world.node('client').env, cluster);
    const consumer = new PushConsumer(client, { group: 'g', subscriptions: { T: '*' }, from: 'first', listener });
    world.cut(world.node('client'), world.node('namesrv-0'));
    await assert.rejects(consumer.start(), /no name server answered/);
    await client.heartbeat();
    assert.equal(cluster.brokers[0].consumers.size, 0);
    world.heal(world.node('client'), world.node('namesrv-0'));
    put(cluster, 0, 'x');
    // The connection attempt that was under way in the cut has yet to fail.
    await world.sleep(1);
    await consumer.start();
    await world.until(() => got.length === 1, 5000, 'it consumes');
    await consumer.stop();
    await assert.rejects(consumer.start(), /stopped/);
  }),
);

test(
  'the queues can be dealt out in turn',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    const options = { allocation: 'by circle' } as const;
    const first = await consume(world, cluster, 'client-1', collect().listener, options);
    const second = await consume(world, cluster, 'client-2', collect().listener, options);
    await world.sleep(1000);
    const ids = [first, second].map(({ consumer }) =>
      consumer
        .assignment()
        .map(({ queueId }) => queueId)
        .join(),
    );
    assert.deepEqual(ids.sort(), ['0,2', '1,3']);
  }),
);

test(
  'every broadcast consumer gets every message, commits nothing and drops what fails',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    const one = collect();
    const tries: string[] = [];
    const failing: Listener = async (messages) => {
      tries.push(...messages.map(text));
      return 'later';
    };
    await consume(world, cluster, 'client-1', one.listener, { broadcast: true });
    await consume(world, cluster, 'client-2', failing, { broadcast: true });
    for (let i = 0; i < 8; i++) put(cluster, i % 4, `${i}`);
    await world.sleep(30_000);
    assert.deepEqual([one.got.length, tries.length], [8, 8]);
    assert.equal(cluster.brokers[0].offsets.size, 0);
    assert.deepEqual(cluster.brokers[0].sentBack, []);
  }),
);

test(
  'in order: one message at a time in each queue, and one that fails holds up those behind it',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 2 } });
    for (let i = 0; i < 10; i++) put(cluster, i % 2, `${i}`);
    const seen: string[] = [];
    const running = new Set<number>();
    let failed = false;
    const listener: Listener = async ([message], { queueId }) => {
      assert.ok(!running.has(queueId), 'one at a time');
      running.add(queueId);
      await world.sleep(5);
      running.delete(queueId);
      if (text(message) === '4' && !failed) {
        failed = true;
        return 'later';
      }
      seen.push(text(message));
      return 'success';
    };
    await consume(world, cluster, 'client', listener, { ordered: true });
    await world.sleep(10_000);
    assert.deepEqual(
      seen.filter((body) => Number(body) % 2 === 0),
      ['0', '2', '4', '6', '8'],
    );
    assert.deepEqual(
      seen.filter((body) => Number(body) % 2 === 1),
      ['1', '3', '5', '7', '9'],
    );
    assert.deepEqual(cluster.brokers[0].sentBack, []);
    assert.equal(cluster.brokers[0].offsets.get('g T 0'), 5);
  }),
);

test(
  'in order: after its last attempt a message becomes a dead letter, and its queue goes on',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    put(cluster, 0, 'bad');
    put(cluster, 0, 'good');
    const seen: string[] = [];
    const listener: Listener = async ([message]) => {
      seen.push(text(message));
      return text(message) === 'bad' ? 'later' : 'success';
    };
    await consume(world, cluster, 'client', listener, { ordered: true, maxReconsumeTimes: 2 });
    await world.sleep(10_000);
    assert.deepEqual(seen, ['bad', 'bad', 'bad', 'good']);
    assert.deepEqual(cluster.brokers[0].dead, ['id-bad']);
  }),
);

test(
  'in order: a queue that moves is not consumed at both ends at once, and nothing is consumed twice',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    const running = new Set<number>();
    const seen: string[] = [];
    const listener: Listener = async ([message], { queueId }) => {
      assert.ok(!running.has(queueId), 'one consumer at a time');
      running.add(queueId);
      await world.sleep(700);
      running.delete(queueId);
      seen.push(text(message));
      return 'success';
    };
    for (let i = 0; i < 40; i++) put(cluster, i % 4, `${i}`);
    await consume(world, cluster, 'client-1', listener, { ordered: true });
    await world.sleep(2000);
    const second = await consume(world, cluster, 'client-2', listener, { ordered: true });
    await world.until(() => seen.length >= 40, 30_000, 'all are consumed');
    assert.equal(second.consumer.assignment().length, 2);
    assert.equal(new Set(seen).size, 40);
    assert.equal(seen.length, 40);
  }),
);

test(
  'in order: without its lock a queue rests, and goes on when the lock is back',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener, { ordered: true });
    put(cluster, 0, '1');
    await world.sleep(1000);
    cluster.brokers[0].locks.set('T 0', { clientId: 'somebody else', lockedMs: Number.POSITIVE_INFINITY });
    await world.sleep(20_000);
    put(cluster, 0, '2');
    await world.sleep(10_000);
    assert.deepEqual(got.map(text), ['1']);
    cluster.brokers[0].locks.delete('T 0');
    await world.sleep(30_000);
    assert.deepEqual(got.map(text), ['1', '2']);
  }),
);

test(
  'in order: many queues that another still holds are asked for twice a second, not more and more often',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 4 } });
    const [{ locks }] = cluster.brokers;
    for (let id = 0; id < 4; id++) locks.set(`T ${id}`, { clientId: 'vanished', lockedMs: world.nowMs });
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener, { ordered: true });
    const before = world.eventCount;
    await world.sleep(30_000);
    // Each attempt asks for the group's members and for four locks: about a dozen events each.
    assert.ok(world.eventCount - before < 10_000, `${world.eventCount - before} events`);
    put(cluster, 0, '1');
    await world.sleep(40_000);
    assert.deepEqual(got.map(text), ['1']);
  }),
);

test(
  'in order: a consumer that cannot renew its locks stops before its broker would give them away',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    for (let i = 0; i < 20; i++) put(cluster, 0, `${i}`);
    let started = 0;
    const listener: Listener = async () => {
      started++;
      await world.sleep(5000);
      return 'success';
    };
    const { consumer } = await consume(world, cluster, 'client', listener, { ordered: true });
    await world.sleep(1000);
    world.cut(world.node('client'), cluster.brokers[0].node);
    // The lock is of the first millisecond: the sixth message begins after 25 s, the seventh would after 30 s.
    await world.sleep(120_000);
    assert.equal(started, 6);
    world.heal(world.node('client'), cluster.brokers[0].node);
    await world.until(() => started === 20, 200_000, 'it goes on');
    assert.equal(consumer.assignment().length, 1);
  }),
);

test(
  'in order: one renewal that gets no answer does not hold up the queue',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener, { ordered: true });
    await world.sleep(18_000);
    cluster.brokers[0].refusals.set('lockBatchMq', [2]);
    await world.sleep(3000);
    put(cluster, 0, 'x');
    await world.sleep(1000);
    assert.equal(cluster.brokers[0].refusals.get('lockBatchMq')?.length, 0);
    assert.deepEqual(got.map(text), ['x']);
  }),
);

for (const ordered of [false, true]) {
  test(
    `from the end of a queue, nothing is skipped that comes before the first pull${ordered ? ', in order' : ''}`,
    inWorld(async (world) => {
      const cluster = await startFakeCluster(world, { topics: { T: 1 } });
      put(cluster, 0, 'old');
      const { got, listener } = collect();
      const starting = consume(world, cluster, 'client', listener, { ordered, from: 'last' });
      const [{ asked }] = cluster.brokers;
      while (!asked.has('getMaxOffset')) await world.sleep(0.01);
      put(cluster, 0, 'new');
      await starting;
      await world.sleep(10_000);
      assert.deepEqual(got.map(text), ['new']);
    }),
  );
}

test(
  'a committed offset that cannot be asked for is asked for again: the group does not start over',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    for (let i = 0; i < 5; i++) put(cluster, 0, `${i}`);
    broker.offsets.set('g T 0', 3);
    broker.refusals.set('queryConsumerOffset', [1, 2, 14]);
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.sleep(90_000);
    assert.deepEqual(broker.refusals.get('queryConsumerOffset'), []);
    assert.deepEqual(got.map(text), ['3', '4']);
  }),
);

test(
  'an offset that the queue does not have is corrected, forwards and backwards',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    broker.offsets.set('g T 0', 1000);
    put(cluster, 0, '1');
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.sleep(100);
    put(cluster, 0, '2');
    await world.sleep(6000);
    assert.deepEqual(got.map(text), ['2']);
    assert.equal(broker.offsets.get('g T 0'), 2);
  }),
);

test(
  'a queue that is not consumed as fast as it fills is pulled no further than its limit',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    for (let i = 0; i < 3000; i++) put(cluster, 0, `${i}`);
    let started = 0;
    const listener: Listener = async () => {
      started++;
      await world.sleep(1_000_000);
      return 'success';
    };
    await consume(world, cluster, 'client', listener, { concurrency: 5000 });
    await world.sleep(60_000);
    assert.ok(started >= 1000 && started < 1032, `${started}`);
  }),
);

test(
  'a broker that forgot its clients is told again, and consumption goes on',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.sleep(1000);
    broker.forgetClients();
    broker.refusals.set('pullMessage', [24]);
    await world.sleep(30_000);
    assert.equal(broker.consumers.get('g')?.size, 1);
    put(cluster, 0, '1');
    await world.sleep(1000);
    assert.deepEqual(got.map(text), ['1']);
  }),
);

test(
  'a pull that failed is tried again soon, and ever later while it keeps failing, though at least each 3 s',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.sleep(1000);
    broker.refusals.set('pullMessage', [1]);
    put(cluster, 0, '1');
    put(cluster, 0, '2');
    await world.until(() => got.length === 2, 500, 'what came while a pull failed');
    const pulls = () => broker.asked.get('pullMessage') ?? 0;
    const before = pulls();
    broker.refusals.set('pullMessage', new Array<number>(1000).fill(1));
    put(cluster, 0, '3');
    await world.sleep(60_000);
    const tries = pulls() - before;
    assert.ok(tries > 20 && tries < 50, `${tries} pulls in a minute of failures`);
    broker.refusals.delete('pullMessage');
    await world.sleep(3_100);
    assert.equal(got.length, 3);
    // The wait begins anew after a success.
    broker.refusals.set('pullMessage', [1]);
    put(cluster, 0, '4');
    put(cluster, 0, '5');
    await world.until(() => got.length === 5, 500, 'what came while one more pull failed');
  }),
);

test(
  'heartbeats leave the subscriptions out once the broker has them, and name them again when it forgot',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    await consume(world, cluster, 'client', collect().listener);
    await world.sleep(61_000);
    const subscribed = broker.heartbeats.map(({ consumerDataSet }) => consumerDataSet[0].subscriptionDataSet.length);
    assert.deepEqual(subscribed, [2, 0, 0]);
    assert.deepEqual(new Set(broker.heartbeats.map(({ heartbeatFingerprint }) => heartbeatFingerprint)).size, 1);
    broker.heartbeats.length = 0;
    broker.forgetClients();
    await world.sleep(30_000);
    assert.deepEqual(
      broker.heartbeats.slice(0, 2).map(({ withoutSub }) => withoutSub),
      [true, false],
    );
  }),
);

test(
  'a broker that refuses a pull for an old subscription gets the subscriptions again at once',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    await consume(world, cluster, 'client', collect().listener);
    await world.sleep(1000);
    broker.heartbeats.length = 0;
    broker.refusals.set('pullMessage', [25]);
    put(cluster, 0, '1');
    await world.sleep(20_000);
    assert.equal(broker.heartbeats[0]?.withoutSub, false);
  }),
);

test(
  'an older broker gets every heartbeat in full',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    broker.knowsHeartbeatV2 = false;
    await consume(world, cluster, 'client', collect().listener);
    await world.sleep(61_000);
    assert.deepEqual(
      broker.heartbeats.map(({ withoutSub }) => withoutSub),
      [false, false, false],
    );
  }),
);

test(
  'compressed bodies come inflated; one that does not inflate comes as it is and says why',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const properties = Buffer.from('UNIQ_KEY\u0001id\u0002');
    const sysFlag = SysFlag.COMPRESSED | SysFlag.COMPRESSION_ZLIB;
    const bodies = [
      deflateSync(Buffer.from('small')),
      Buffer.from('garbage'),
      deflateSync(Buffer.alloc(17 * 1024 * 1024)),
    ];
    for (const body of bodies) cluster.brokers[0].store({ topic: 'T', queueId: 0, body, properties, sysFlag });
    const { got, listener } = collect();
    await consume(world, cluster, 'client', listener);
    await world.sleep(1000);
    assert.deepEqual(
      got.map(({ bodyProblem }) => bodyProblem === undefined),
      [true, false, false],
    );
    assert.equal(text(got[0]), 'small');
    assert.equal(text(got[1]), 'garbage');
  }),
);

test(
  'after the stop nothing runs any more, and the brokers know',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    const { got, listener } = collect();
    const { client, consumer } = await consume(world, cluster, 'client', listener);
    await consumer.stop();
    await consumer.stop();
    assert.deepEqual(broker.unregistered, [`${client.id} g`]);
    await client.close();
    const asked = new Map(broker.asked);
    put(cluster, 0, '1');
    await world.sleep(120_000);
    assert.deepEqual(got, []);
    assert.deepEqual(broker.asked, asked);
  }),
);

test(
  'a consumer that is stopped while it starts does not join its group',
  inWorld(async (world) => {
    const cluster = await startFakeCluster(world, { topics: { T: 1 } });
    const [broker] = cluster.brokers;
    const client = new Client(world.node('client').env, cluster);
    const options = { group: 'g', subscriptions: { T: '*' }, listener: collect().listener };
    const consumer = new PushConsumer(client, options);
    const starting = consumer.start();
    await consumer.stop();
    await assert.rejects(starting, { failure: 'stopped' });
    await world.sleep(60_000);
    assert.deepEqual(broker.heartbeats, []);
    await client.close();
  }),
);
