import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldPull, messagesOf, withBroker } from '../../test/broker/sim-broker.ts';
import { Client, Producer, PushConsumer } from '../client/mod.ts';
import { parseLooseJson } from '../common/mod.ts';
import { type NameServer, readNameServerConfig, startNameServer } from '../namesrv/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { readBrokerConfig, startBroker } from './mod.ts';

const small = {
  storePathRootDir: '/store',
  brokerName: 'b',
  mappedFileSizeCommitLog: '1048576',
  maxHashSlotNum: '1000',
  maxIndexNum: '4000',
};

async function startNameServerAt(world: SimWorld, name: string): Promise<NameServer> {
  const { env } = world.node(name);
  const properties = new Map([['kvConfigPath', '/kvConfig.json']]);
  return await startNameServer(env, { config: readNameServerConfig(properties).values, properties });
}

async function refusalOf(world: SimWorld, properties: Record<string, string>): Promise<string> {
  const { values } = readBrokerConfig(new Map(Object.entries({ ...small, ...properties })));
  try {
    const broker = await startBroker(world.node('broker').env, { config: values });
    await broker.close();
    return '';
  } catch (error) {
    return String(error);
  }
}

test(
  'what was acknowledged is there after a stop and after a kill, and offsets go on',
  withBroker(async ({ send, pull, restart }) => {
    await send({ body: 'a' });
    await restart('stop');
    await send({ body: 'b' });
    await restart('kill');
    assert.equal((await send({ body: 'c' })).fields.queueOffset, 2);
    assert.deepEqual(
      messagesOf(await pull()).map(({ text }) => text),
      ['a', 'b', 'c'],
    );
  }),
);

test(
  'a stop is quick, although clients wait for messages',
  withBroker(async ({ send, ask, restart, node, world }) => {
    await send();
    const held = ask('pullMessage', heldPull);
    await world.sleep(100);
    const startMs = node.clock.monotonicMs();
    const [answer] = await Promise.all([held, restart('stop')]);
    assert.equal(answer.code, 19);
    assert.ok(node.clock.monotonicMs() - startMs < 2000);
  }),
);

test('a broker registers with every name server, tells of new topics at once, and leaves when it stops', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const servers = [await startNameServerAt(world, 'n1'), await startNameServerAt(world, 'n2')];
    const namesrvAddr = `${world.node('n1').address}:9876;${world.node('n2').address}:9876;${world.node('none').address}:9876`;
    const { values } = readBrokerConfig(new Map(Object.entries({ ...small, namesrvAddr })));
    const broker = await startBroker(world.node('broker').env, { config: values });
    for (const server of servers) assert.equal(server.stats().brokerCount, 1);
    const known = servers[0].stats().topicCount;
    assert.ok(known > 10);
    const { createRemotingClient } = await import('../remoting/mod.ts');
    const client = createRemotingClient(world.node('client').env);
    const topic = { readQueueNums: 1, writeQueueNums: 1, perm: 6, topicFilterType: 'SINGLE_TAG', order: false };
    await client.request(broker.advertised, 'updateAndCreateTopic', { ...topic, topic: 'T', defaultTopic: '' });
    await world.sleep(100);
    for (const server of servers) assert.equal(server.stats().topicCount, known + 1);
    const route = await client.request(`${world.node('n2').address}:9876`, 'getRouteinfoByTopic', { topic: 'T' });
    const { queueDatas } = parseLooseJson(Buffer.from(route.body).toString()) as { queueDatas: object[] };
    assert.equal(queueDatas.length, 1);
    await client.close();
    await broker.close();
    await world.sleep(1000);
    for (const server of servers) assert.equal(server.stats().brokerCount, 0);
    for (const server of servers) await server.close(0);
  });
});

test('a name server that comes late, or comes back empty, learns of the broker within seconds', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const address = world.node('n1').address;
    const properties = new Map(Object.entries({ ...small, namesrvAddr: `${address}:9876` }));
    const broker = await startBroker(world.node('broker').env, { config: readBrokerConfig(properties).values });
    await world.sleep(5000);
    const first = await startNameServerAt(world, 'n1');
    await world.sleep(4000);
    assert.equal(first.stats().brokerCount, 1);
    world.node('n1').restart();
    const second = await startNameServerAt(world, 'n1');
    await world.sleep(34_000);
    assert.equal(second.stats().brokerCount, 1);
    // Where the connection says that the process died, nobody waits for the next period.
    world.node('n1').kill();
    await world.sleep(300);
    assert.ok(!broker.registered);
    world.node('n1').restart();
    const third = await startNameServerAt(world, 'n1');
    await world.sleep(1_000);
    assert.equal(third.stats().brokerCount, 1);
    assert.ok(broker.registered);
    await broker.close();
    await third.close(0);
  });
});

test('configurations and directories that cannot work are refused, with the way out', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    assert.match(await refusalOf(world, { messageDelayLevel: 'soon' }), /messageDelayLevel=soon: must be/);
    assert.match(await refusalOf(world, { brokerIP1: 'no.such.host' }), /no\.such\.host/);
    const { disk } = world.node('broker').env;
    await disk.makeDirectory('/store/config');
    const file = await disk.open('/store/config/topics.json', 'create');
    await file.write(Buffer.from('{"topic'), 0, 7, 0);
    await file.close();
    assert.match(await refusalOf(world, {}), /topics\.json is not a JSON object/);
    await disk.remove('/store/config/topics.json');
    assert.equal(await refusalOf(world, {}), '', 'nothing of the failed starts is left open');
  });
});

test('a broker.conf of Apache is read unchanged; what would need another broker is refused', () => {
  const read = (text: Record<string, string>) => readBrokerConfig(new Map(Object.entries(text)));
  const plain = read({
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: '0',
    deleteWhen: '04',
    fileReservedTime: '48',
    brokerRole: 'ASYNC_MASTER',
    flushDiskType: 'ASYNC_FLUSH',
  });
  assert.deepEqual([plain.warnings, plain.refusals], [[], []]);
  for (const [name, value] of [
    ['brokerId', '1'],
    ['brokerRole', 'SLAVE'],
    ['enableControllerMode', 'true'],
    ['enableDLegerCommitLog', 'true'],
    ['authenticationEnabled', 'true'],
    ['storeType', 'defaultRocksDB'],
    ['enablePropertyFilter', 'true'],
    ['listenPort', 'many'],
  ]) {
    const { refusals } = read({ [name]: value });
    assert.equal(refusals.length, 1, `${name}=${value}`);
    assert.ok(refusals[0].startsWith(`${name}=${value}`), refusals[0]);
  }
  assert.match(read({ brokerNmae: 'x' }).warnings[0], /did you mean brokerName/);
  assert.match(read({ sendMessageThreadPoolNums: '16' }).warnings[0], /no effect/);
});

test('name server, broker and clients: two consumers share what a producer sends, a failed message comes again', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const nameServer = await startNameServerAt(world, 'n1');
    const namesrvAddr = `${world.node('n1').address}:9876`;
    const { values } = readBrokerConfig(
      new Map(Object.entries({ ...small, namesrvAddr, messageDelayLevel: '1s 2s 3s' })),
    );
    const broker = await startBroker(world.node('broker').env, { config: values });

    const newClient = (name: string) => new Client(world.node(name).env, { nameServers: [namesrvAddr] });
    const producer = new Producer(newClient('producer'), { group: 'p' });
    await producer.send({ topic: 'T', body: Buffer.from('first') });
    const seen = new Map<string, Set<string>>();
    let failures = 0;
    for (const name of ['c1', 'c2']) {
      const bodies = new Set<string>();
      seen.set(name, bodies);
      const consumer = new PushConsumer(newClient(name), {
        group: 'g',
        subscriptions: { T: 'A || B' },
        from: 'first',
        listener: async ([message]) => {
          const body = Buffer.from(message.body).toString();
          if (body === '13' && failures++ === 0) return 'later';
          bodies.add(body);
          return 'success';
        },
      });
      await consumer.start();
    }
    await world.sleep(25_000);
    for (let i = 0; i < 60; i++) {
      await producer.send({ topic: 'T', body: Buffer.from(String(i)), tag: ['A', 'B', 'C'][i % 3] });
    }
    await world.sleep(30_000);
    const wanted = Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 3 !== 2);
    const all = [...seen.values()].flatMap((bodies) => [...bodies].map(Number));
    assert.deepEqual(
      all.sort((a, b) => a - b),
      wanted,
    );
    assert.equal(failures, 2);
    for (const [name, bodies] of seen) assert.ok(bodies.size > 5, `${name} got ${bodies.size}`);
    assert.equal(broker.stats().consumerCount, 2);
    for (const node of ['producer', 'c1', 'c2']) world.node(node).kill();
    await broker.close();
    await nameServer.close(0);
  });
});

test(
  'a stop that is asked for twice is one stop',
  withBroker(async ({ broker, node }) => {
    await Promise.all([broker.close(), broker.close()]);
    await broker.close();
    await assert.rejects(node.env.disk.stat('/store/abort'), /ENOENT/);
  }),
);

test(
  'figures by topic are those of the busiest, busiest first',
  withBroker(async ({ broker, send }) => {
    assert.deepEqual(broker.stats().topics, []);
    for (let i = 0; i < 205; i++) await send({ topic: `T-${i}` });
    for (let i = 0; i < 2; i++) await send({ topic: 'T-7' });
    await send({ topic: 'T-200' });
    const { topics } = broker.stats();
    assert.equal(topics.length, 200);
    assert.deepEqual(
      topics.slice(0, 3).map(({ messagesIn }) => messagesIn),
      [3, 2, 1],
    );
    assert.deepEqual([topics[0].topic, topics[1].topic], ['T-7', 'T-200']);
  }),
);
