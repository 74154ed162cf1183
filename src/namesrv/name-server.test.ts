import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { type JsonValue, parseLooseJson } from '../common/mod.ts';
import type { Env } from '../io/mod.ts';
import { createRemotingClient, type RemotingClient, type Response } from '../remoting/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { readNameServerConfig } from './config.ts';
import { memberOf } from './json-reading.ts';
import { type NameServer, startNameServer } from './name-server.ts';

const serverAddress = '10.0.0.1:9876';
const files = { kvConfigPath: '/ns/kvConfig.json', configStorePath: '/ns/namesrv.properties' };

function start(env: Env, properties: Record<string, string> = {}): Promise<NameServer> {
  const given = new Map(Object.entries(properties));
  const { values: config } = readNameServerConfig(new Map([...Object.entries(files), ...given]));
  return startNameServer(env, { config, properties: given });
}

function clientOf({ network, timers, clock, log }: Env): RemotingClient {
  return createRemotingClient({ network, timers, clock, log });
}

const identity = { brokerName: 'broker-a', brokerAddr: '10.0.0.9:10911', clusterName: 'c', brokerId: 0 };

function registration(topics: string[], counter = 1): Uint8Array {
  return bytesOf(
    JSON.stringify({
      filterServerList: [],
      topicConfigSerializeWrapper: {
        dataVersion: { counter, stateVersion: 0, timestamp: 1 },
        topicConfigTable: Object.fromEntries(topics.map((topicName) => [topicName, { topicName }])),
      },
    }),
  );
}

/** As the compressed form, large enough to keep a worker busy. */
function bigRegistration(topicCount: number): Uint8Array {
  const texts = Array.from({ length: topicCount }, (_, i) => `T${i} 4 4 6 SINGLE_TAG {}`);
  const fields = ['{"counter":1}', topicCount, ...texts, '[]', 0];
  return deflateSync(
    Buffer.concat(
      fields.map((field) => {
        const text = bytesOf(typeof field === 'string' ? field : '');
        const chunk = Buffer.alloc(4 + text.length);
        chunk.writeInt32BE(typeof field === 'string' ? text.length : field);
        chunk.set(text, 4);
        return chunk;
      }),
    ),
  );
}

function register(
  client: RemotingClient,
  body = registration(['A', 'B']),
  more = {},
): Promise<Response<'registerBroker'>> {
  return client.request(serverAddress, 'registerBroker', { ...identity, haServerAddr: '', ...more }, { body });
}

async function topics(client: RemotingClient): Promise<JsonValue | undefined> {
  const answer = await client.request(serverAddress, 'getAllTopicListFromNameserver', {});
  assert.equal(answer.code, 0);
  return memberOf(parseLooseJson(new TextDecoder().decode(answer.body)), 'topicList');
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Runs `story` on a world whose first machine runs the name server. */
function inWorld(story: (world: SimWorld, pause: (ms: number) => Promise<void>) => Promise<void>): Promise<void> {
  const world = new SimWorld({ seed: 1 });
  const { env } = world.node('ns');
  const pause = (ms: number) => new Promise<void>((resolve) => world.node('observer').env.timers.after(ms, resolve));
  assert.equal(world.node('ns').address, '10.0.0.1');
  return world.run(async () => {
    await start(env);
    await story(world, pause);
  });
}

test('a route is answered while its broker is connected, and gone at once when the connection breaks', () =>
  inWorld(async (world, pause) => {
    const broker = world.node('broker');
    await register(clientOf(broker.env));
    const observer = clientOf(world.node('observer').env);
    const route = await observer.request(serverAddress, 'getRouteinfoByTopic', { topic: 'A' });
    assert.equal(route.code, 0);
    assert.match(new TextDecoder().decode(route.body), /"brokerAddrs":\{"0":"10.0.0.9:10911"\}/);
    broker.kill();
    await pause(1000);
    const gone = await observer.request(serverAddress, 'getRouteinfoByTopic', { topic: 'A' });
    assert.equal(gone.code, 17);
    assert.match(gone.remark ?? '', /^No topic route info in name server for the topic: A/);
  }));

test('the close of an old connection does not remove the registration that a restart made on a new one', () =>
  inWorld(async (world, pause) => {
    const old = clientOf(world.node('broker').env);
    const young = clientOf(world.node('broker again').env);
    const observer = clientOf(world.node('observer').env);
    await register(old);
    await register(young);
    old.disconnect(serverAddress);
    await pause(1000);
    assert.deepEqual(await topics(observer), ['A', 'B']);
    young.disconnect(serverAddress);
    await pause(1000);
    assert.deepEqual(await topics(observer), []);
  }));

test('an unregistration that comes late, on an older connection, does not remove a newer registration', () =>
  inWorld(async (world) => {
    const old = clientOf(world.node('broker').env);
    const young = clientOf(world.node('broker again').env);
    await register(old);
    await register(young);
    assert.equal((await old.request(serverAddress, 'unregisterBroker', identity)).code, 0);
    assert.deepEqual(await topics(old), ['A', 'B']);
    assert.equal((await young.request(serverAddress, 'unregisterBroker', identity)).code, 0);
    assert.deepEqual(await topics(old), []);
  }));

test('an unregistration does not overtake the registration before it, which a worker still decodes', () =>
  inWorld(async (world) => {
    const client = clientOf(world.node('broker').env);
    const registering = register(client, bigRegistration(2000), { compressed: true });
    const leaving = client.request(serverAddress, 'unregisterBroker', identity);
    assert.deepEqual([(await registering).code, (await leaving).code], [0, 0]);
    assert.deepEqual(await topics(client), []);
  }));

test('a broker that closes its connection while a worker decodes its registration does not stay', () =>
  inWorld(async (world, pause) => {
    const client = clientOf(world.node('broker').env);
    register(client, bigRegistration(2000), { compressed: true }).catch(() => {});
    await pause(50);
    client.disconnect(serverAddress);
    await pause(5000);
    assert.deepEqual(await topics(clientOf(world.node('observer').env)), []);
  }));

test('a silent broker is removed after the time that it promised, unless heartbeats come', () =>
  inWorld(async (world, pause) => {
    const client = clientOf(world.node('broker').env);
    const observer = clientOf(world.node('observer').env);
    await register(client, registration(['A', 'B']), { heartbeatTimeoutMillis: 10_000 });
    for (let second = 0; second < 20; second++) {
      await pause(1000);
      await client.request(serverAddress, 'brokerHeartbeat', identity);
    }
    assert.deepEqual(await topics(observer), ['A', 'B']);
    await pause(16_000);
    assert.deepEqual(await topics(observer), []);
  }));

test('an acknowledged KV value survives a power failure', () =>
  inWorld(async (world) => {
    const node = world.node('ns');
    const client = clientOf(world.node('observer').env);
    const pair = { namespace: 'ORDER_TOPIC_CONFIG', key: 'T' };
    assert.equal((await client.request(serverAddress, 'putKvConfig', { ...pair, value: 'broker-a:4' })).code, 0);
    node.crash();
    node.restart();
    await start(node.env);
    client.disconnect(serverAddress);
    const answer = await client.request(serverAddress, 'getKvConfig', pair);
    assert.equal(answer.fields.value, 'broker-a:4');
    assert.equal((await client.request(serverAddress, 'deleteKvConfig', pair)).code, 0);
    assert.equal((await client.request(serverAddress, 'getKvConfig', pair)).code, 22);
    const { body } = await client.request(serverAddress, 'getKvlistByNamespace', { namespace: pair.namespace });
    assert.equal(new TextDecoder().decode(body), '{"table":{}}');
  }));

test('a configuration change counts at once and is written down; closed, unknown and wrong keys are refused whole', () =>
  inWorld(async (world) => {
    const client = clientOf(world.node('observer').env);
    const change = (text: string) => client.request(serverAddress, 'updateNamesrvConfig', {}, { body: bytesOf(text) });
    assert.equal((await change('enableAllTopicList=false')).code, 0);
    const refused = await client.request(serverAddress, 'getAllTopicListFromNameserver', {});
    assert.deepEqual([refused.code, refused.remark], [1, 'disable']);
    for (const text of ['kvConfigPath=/x', 'listenPort=1', 'enableTopicLists=true', 'waitSecondsForService=soon']) {
      assert.equal((await change(`orderMessageEnable=true\n${text}`)).code, 16, text);
    }
    const { body } = await client.request(serverAddress, 'getNamesrvConfig', {});
    assert.match(new TextDecoder().decode(body), /enableAllTopicList=false\n[\s\S]*orderMessageEnable=false\n/);
    const file = await world.node('ns').env.disk.open(files.configStorePath, 'read');
    const written = new Uint8Array(await file.sizeBytes());
    await file.read(written, 0, written.length, 0);
    assert.equal(new TextDecoder().decode(written), 'enableAllTopicList=false\n');
  }));

test('a name server that shall wait for its brokers answers no route before its time', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    await start(world.node('ns').env, { needWaitForService: 'true', waitSecondsForService: '45' });
    const client = clientOf(world.node('broker').env);
    await register(client);
    const ask = async () => (await client.request(serverAddress, 'getRouteinfoByTopic', { topic: 'A' })).code;
    assert.equal(await ask(), 1);
    await new Promise<void>((resolve) => world.node('broker').env.timers.after(45_000, resolve));
    assert.equal(await ask(), 0);
  });
});

test('a kvConfig.json that cannot be read stops the start, and the error names it', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { disk } = world.node('ns').env;
    await disk.makeDirectory('/ns');
    const file = await disk.open(files.kvConfigPath, 'create');
    await file.write(bytesOf('{"configTable'), 0, 13, 0);
    await file.close();
    await assert.rejects(start(world.node('ns').env), { message: /^\/ns\/kvConfig.json is not a KV configuration/ });
  });
});

test('the members of a group hear that its lowest id is another one, when they shall', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { env } = world.node('ns');
    await start(env, { notifyMinBrokerIdChanged: 'true' });
    const master = world.node('master');
    const slave = world.node('slave');
    let heard = '';
    await slave.env.network.listen({ host: '0.0.0.0', port: 10911 }, (connection) => {
      connection.start({
        onData: (bytes) => {
          heard += Buffer.from(bytes).toString('latin1');
        },
        onDrain: () => {},
        onClose: () => {},
      });
    });
    const acting = { enableActingMaster: true };
    await register(clientOf(master.env), registration(['A', 'B']), {
      ...acting,
      brokerAddr: `${master.address}:10911`,
    });
    const addresses = { brokerAddr: `${slave.address}:10911`, brokerId: 1 };
    await register(clientOf(slave.env), registration(['A', 'B']), { ...acting, ...addresses });
    master.kill();
    await world.until(() => heard !== '', 1000, 'the notice');
    for (const part of ['"code":905', '"minBrokerId":"1"', `"offlineBrokerAddr":"${master.address}:10911"`]) {
      assert.ok(heard.includes(part), heard);
    }
  });
});
