import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeCluster, startFakeCluster } from '../../test/client/fake-cluster.ts';
import { type SimNode, SimRandom, SimWorld } from '../testing/mod.ts';
import { Client, type MessageQueue, Producer, PushConsumer, type ReceivedMessage } from './mod.ts';

const seeds = [1, 2, 3];
const messageCount = 300;
const consumerNames = ['consumer-1', 'consumer-2', 'consumer-3'];

interface Seen {
  body: string;
  queue: MessageQueue;
  queueOffset: number;
}

/** One producer and three consumers, while links break and heal and consumers die and come back. */
async function runWithFaults(
  seed: number,
  ordered: boolean,
): Promise<{ sent: Set<string>; seen: Seen[]; overlaps: number }> {
  const world = new SimWorld({ seed });
  return world.run(async () => {
    const cluster = await startFakeCluster(world, { brokerNames: ['a', 'b'], topics: { T: 4, '%RETRY%g': 1 } });
    const random = new SimRandom(seed, 'faults');
    const seen: Seen[] = [];
    const running = new Map<string, string>();
    let overlaps = 0;
    const consume = async (messages: readonly ReceivedMessage[], queue: MessageQueue, name: string) => {
      const key = `${queue.topic} ${queue.brokerName} ${queue.queueId}`;
      if (running.has(key) && running.get(key) !== name) overlaps++;
      running.set(key, name);
      await world.sleep(random.below(50));
      if (running.get(key) === name) running.delete(key);
      if (random.below(20) === 0) throw new Error('the listener fails now and then');
      for (const message of messages) {
        seen.push({ body: Buffer.from(message.body).toString(), queue, queueOffset: message.queueOffset });
      }
      return 'success' as const;
    };
    const startConsumer = async (node: SimNode) => {
      const client = new Client(node.env, cluster);
      const options = { group: 'g', subscriptions: { T: '*' }, from: 'first' as const, ordered };
      const name = node.process.name;
      const consumer = new PushConsumer(client, {
        ...options,
        listener: (messages, queue) => consume(messages, queue, name),
      });
      await node.whileAlive(consumer.start()).catch(() => {});
    };
    const consumers = consumerNames.map((name) => world.node(name));
    for (const node of consumers) await startConsumer(node);

    const sent = new Set<string>();
    const producer = new Producer(new Client(world.node('producer').env, cluster), { group: 'p' });
    for (let i = 0; i < messageCount; i++) {
      const result = await producer.send({ topic: 'T', body: Buffer.from(`${i}`) }).catch(() => undefined);
      if (result !== undefined) sent.add(`${i}`);
      await world.sleep(random.below(400));
      if (i % 20 === 10) disturb(world, cluster, consumers, random);
      if (i % 20 === 0) await calm(world, cluster, consumers, startConsumer);
    }
    await calm(world, cluster, consumers, startConsumer);
    const isLost = (body: string) => !seen.some((one) => one.body === body);
    for (let waitedMs = 0; [...sent].some(isLost); waitedMs += 1000) {
      assert.ok(waitedMs < 300_000, `not consumed: ${[...sent].filter(isLost)}`);
      await world.sleep(1000);
    }
    return { sent, seen, overlaps };
  });
}

function disturb(world: SimWorld, cluster: FakeCluster, consumers: SimNode[], random: SimRandom): void {
  const broker = cluster.brokers[random.below(2)].node;
  const consumer = consumers[random.below(consumers.length)];
  switch (random.below(4)) {
    case 0:
      consumer.kill();
      break;
    case 1:
      world.cut(consumer, broker);
      break;
    case 2:
      world.cutOneWay(broker, consumer);
      break;
    default:
      world.cut(world.node('producer'), broker);
  }
}

async function calm(
  world: SimWorld,
  cluster: FakeCluster,
  consumers: SimNode[],
  startConsumer: (node: SimNode) => Promise<void>,
): Promise<void> {
  for (const { node } of cluster.brokers) {
    for (const other of [...consumers, world.node('producer')]) world.heal(other, node);
  }
  for (const node of consumers) {
    if (node.process.alive) continue;
    node.restart();
    await startConsumer(node);
  }
}

for (const seed of seeds) {
  test(`what a broker acknowledged is consumed, whatever breaks meanwhile (seed ${seed})`, async () => {
    const { sent } = await runWithFaults(seed, false);
    assert.ok(sent.size > messageCount / 2, `${sent.size} were sent`);
  });

  test(`in order each queue advances without a gap, and never at two consumers at once (seed ${seed})`, async () => {
    const { seen, overlaps } = await runWithFaults(seed, true);
    assert.equal(overlaps, 0);
    const nextByQueue = new Map<string, number>();
    for (const { queue, queueOffset } of seen) {
      const key = `${queue.topic} ${queue.brokerName} ${queue.queueId}`;
      const next = nextByQueue.get(key) ?? 0;
      assert.ok(queueOffset <= next, `${key}: ${queueOffset} came before ${next}`);
      nextByQueue.set(key, Math.max(next, queueOffset + 1));
    }
  });
}
