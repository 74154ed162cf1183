import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerGroups } from './broker-groups.ts';
import { BrokerLiveness } from './broker-liveness.ts';
import {
  type BrokerTables,
  type RegisterResult,
  type Registration,
  registerBroker,
  unregisterBroker,
} from './registration.ts';
import { type QueueMapping, RouteTable } from './route-table.ts';
import { routeOf } from './topic-route.ts';

function newTables(): BrokerTables {
  return { groups: new BrokerGroups(), routes: new RouteTable(), liveness: new BrokerLiveness() };
}

interface Example extends Partial<Omit<Registration, 'body'>> {
  topics?: Record<string, number>;
  mappings?: QueueMapping[];
  version?: number;
  stateVersion?: number;
  filterServers?: string[];
  deleteMissingTopics?: boolean;
  nowMs?: number;
}

/** Registers broker-a of cluster c at 10.0.0.1:10911 with topics (name → perm) A and B, unless told otherwise. */
function beginToRegister(tables: BrokerTables, example: Example = {}): ReturnType<typeof registerBroker> {
  const { topics = { A: 6, B: 6 }, mappings = [], version = 1, stateVersion = 0, filterServers, ...rest } = example;
  const { deleteMissingTopics = false, nowMs = 0, ...identity } = rest;
  const names = Object.keys(topics);
  return registerBroker(
    tables,
    {
      cluster: 'c',
      brokerName: 'broker-a',
      brokerId: 0,
      address: '10.0.0.1:10911',
      haServerAddress: '10.0.0.1:10912',
      zoneName: undefined,
      enableActingMaster: false,
      heartbeatTimeoutMs: undefined,
      connection: { id: 1, close: () => {}, onClose: () => {} },
      ...identity,
      body: {
        dataVersion: { counter: version, stateVersion, timestamp: 0 },
        topics: {
          names,
          readQueueNums: new Int32Array(names.length).fill(8),
          writeQueueNums: new Int32Array(names.length).fill(8),
          perms: Int32Array.from(Object.values(topics)),
          sysFlags: new Int32Array(names.length),
        },
        mappings,
        filterServers,
      },
    },
    { nowMs, deleteMissingTopics },
  );
}

/** The same, to the end. */
function register(tables: BrokerTables, example: Example = {}): RegisterResult {
  const steps = beginToRegister(tables, example);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function unregister(tables: BrokerTables, address: string): ReturnType<typeof unregisterBroker> {
  const broker = tables.liveness.get('c', address);
  assert.ok(broker !== undefined);
  return unregisterBroker(tables, broker);
}

const slave = { brokerId: 1, address: '10.0.0.2:10911', haServerAddress: '10.0.0.2:10912' };

function addressesOf(tables: BrokerTables): [number, string][] {
  return [...(tables.groups.get('broker-a')?.addresses ?? [])];
}

function permOf(tables: BrokerTables, topic: string): number | undefined {
  return tables.routes.queuesOf(topic)?.get('broker-a')?.perm;
}

test('a registered master makes its topics known', () => {
  const tables = newTables();
  register(tables);
  assert.deepEqual([...tables.routes.topics()], ['A', 'B']);
  assert.deepEqual(addressesOf(tables), [[0, '10.0.0.1:10911']]);
  assert.deepEqual([...tables.groups.namesIn('c')], ['broker-a']);
});

test('a slave hears who its master is, and does not change the topics', () => {
  const tables = newTables();
  register(tables);
  const result = register(tables, { ...slave, topics: { A: 2, C: 6 } });
  assert.deepEqual(result.master, { address: '10.0.0.1:10911', haServerAddress: '10.0.0.1:10912' });
  assert.deepEqual([...tables.routes.topics()], ['A', 'B']);
  assert.equal(permOf(tables, 'A'), 6);
});

test('a slave without a master is alone responsible for the topics, and they become read-only with acting masters', () => {
  const tables = newTables();
  register(tables, { ...slave, enableActingMaster: true });
  assert.equal(permOf(tables, 'A'), 4);
});

test('a slave from before 5.0 never makes topics known', () => {
  const tables = newTables();
  register(tables, { ...slave, enableActingMaster: undefined });
  assert.deepEqual([...tables.routes.topics()], []);
});

test('with an unchanged version wiped permissions stay wiped, deleted topics come back, and a new version counts', () => {
  const tables = newTables();
  register(tables);
  assert.equal(tables.routes.wipeWritePermission('broker-a'), 2);
  tables.routes.removeTopic('B');
  register(tables);
  assert.equal(permOf(tables, 'A'), 4);
  assert.equal(permOf(tables, 'B'), 6);
  register(tables, { version: 2 });
  assert.equal(permOf(tables, 'A'), 6);
});

test('a table of one topic is refused before the first registration, and leaves nothing behind', () => {
  const tables = newTables();
  assert.throws(() => register(tables, { topics: { A: 6 } }), { code: 1, message: /^register broker failed/ });
  assert.equal(tables.groups.get('broker-a'), undefined);
  register(tables);
  register(tables, { topics: { C: 6 }, version: 2 });
  assert.deepEqual([...tables.routes.topics()], ['A', 'B', 'C']);
});

test('topics missing in a registration stay, unless they shall be deleted', () => {
  const tables = newTables();
  register(tables);
  register(tables, { topics: { B: 6, C: 6 }, version: 2 });
  assert.deepEqual([...tables.routes.topics()], ['A', 'B', 'C']);
  register(tables, { topics: { B: 6, D: 6 }, version: 3, deleteMissingTopics: true });
  assert.deepEqual([...tables.routes.topics()], ['B', 'D']);
});

test('an address has one id: a slave that becomes the master gives up its old id, and the others are told', () => {
  const tables = newTables();
  register(tables, slave);
  register(tables, { brokerId: 2, address: '10.0.0.3:10911' });
  const { minBrokerChanges } = register(tables, { ...slave, brokerId: 0 });
  assert.deepEqual(addressesOf(tables), [
    [2, '10.0.0.3:10911'],
    [0, '10.0.0.2:10911'],
  ]);
  assert.deepEqual(minBrokerChanges, [
    {
      brokerName: 'broker-a',
      minBrokerId: 0,
      minBrokerAddress: '10.0.0.2:10911',
      offlineAddress: undefined,
      haServerAddress: '10.0.0.2:10912',
      notify: ['10.0.0.3:10911'],
    },
  ]);
});

test('of two addresses with one id the one with the greater state version stays', () => {
  const tables = newTables();
  register(tables, { stateVersion: 5 });
  register(tables, { address: '10.0.0.9:10911', stateVersion: 4 });
  assert.deepEqual(addressesOf(tables), [[0, '10.0.0.1:10911']]);
  assert.equal(tables.liveness.get('c', '10.0.0.9:10911'), undefined);
  register(tables, { address: '10.0.0.9:10911', stateVersion: 5 });
  assert.deepEqual(addressesOf(tables), [[0, '10.0.0.9:10911']]);
  // Its own earlier state outranks nobody: a broker may begin anew.
  register(tables, { address: '10.0.0.9:10911', stateVersion: 0, topics: { A: 6, B: 6, C: 6 } });
  assert.equal(permOf(tables, 'C'), 6);
});

test('a replaced address that leaves later does not take the new one with it', () => {
  const tables = newTables();
  register(tables);
  register(tables, { address: '10.0.0.9:10911', enableActingMaster: true });
  assert.equal(unregister(tables, '10.0.0.1:10911'), undefined);
  assert.deepEqual(addressesOf(tables), [[0, '10.0.0.9:10911']]);
  assert.equal(permOf(tables, 'A'), 6);
});

test('an address that comes back under another broker name leaves the old one', () => {
  const tables = newTables();
  register(tables);
  register(tables, { brokerName: 'broker-b' });
  assert.equal(tables.groups.get('broker-a'), undefined);
  assert.deepEqual([...tables.groups.namesIn('c')], ['broker-b']);
  assert.deepEqual([...tables.routes.topicsOf('broker-a')], []);
});

test('with the last address go the name, the cluster and the topics', () => {
  const tables = newTables();
  register(tables);
  unregister(tables, '10.0.0.1:10911');
  assert.deepEqual([...tables.groups.groups(), ...tables.groups.clusters(), ...tables.routes.topics()], []);
  assert.equal(tables.routes.rowCount, 0);
});

test('when the master leaves a group with acting masters, the rest is told and the topics become read-only', () => {
  const tables = newTables();
  register(tables, { enableActingMaster: true });
  register(tables, { ...slave, enableActingMaster: true });
  const change = unregister(tables, '10.0.0.1:10911');
  assert.equal(permOf(tables, 'A'), 4);
  assert.deepEqual(change, {
    brokerName: 'broker-a',
    minBrokerId: 1,
    minBrokerAddress: '10.0.0.2:10911',
    offlineAddress: '10.0.0.1:10911',
    haServerAddress: undefined,
    notify: ['10.0.0.2:10911'],
  });
});

test('who leaves a group and was not its lowest id is not announced', () => {
  const tables = newTables();
  register(tables, { enableActingMaster: true });
  register(tables, { ...slave, enableActingMaster: true });
  assert.equal(unregister(tables, slave.address), undefined);
  assert.equal(permOf(tables, 'A'), 6);
});

test('when the master leaves a group without acting masters, nothing changes but the address', () => {
  const tables = newTables();
  register(tables);
  register(tables, slave);
  assert.equal(unregister(tables, '10.0.0.1:10911'), undefined);
  assert.equal(permOf(tables, 'A'), 6);
  assert.deepEqual(addressesOf(tables), [[1, '10.0.0.2:10911']]);
});

test('the acting master is shown under id 0 when that is supported, except to brokers that look for their group', () => {
  const tables = newTables();
  const topics = { A: 6, rmq_sys_SYNC_BROKER_MEMBER_x: 6 };
  register(tables, { topics, enableActingMaster: true });
  register(tables, { ...slave, topics, enableActingMaster: true });
  unregister(tables, '10.0.0.1:10911');
  const shown = (topic: string, supportActingMaster: boolean) =>
    routeOf(tables, topic, { supportActingMaster, orderTopicConf: undefined })?.groups.map((g) => [...g.addresses]);
  assert.deepEqual(shown('A', true), [[[0, '10.0.0.2:10911']]]);
  assert.deepEqual(shown('A', false), [[[1, '10.0.0.2:10911']]]);
  assert.deepEqual(shown('rmq_sys_SYNC_BROKER_MEMBER_x', true), [[[1, '10.0.0.2:10911']]]);
});

test('filter servers are shown with the route until a registration names none', () => {
  const tables = newTables();
  register(tables, { filterServers: ['10.0.0.1:7000'] });
  const filterServers = () => [
    ...(routeOf(tables, 'A', { supportActingMaster: false, orderTopicConf: undefined })?.filterServers ?? []),
  ];
  register(tables, { version: 2 });
  assert.deepEqual(filterServers(), [['10.0.0.1:10911', ['10.0.0.1:7000']]]);
  register(tables, { filterServers: [] });
  assert.deepEqual(filterServers(), []);
});

test('a broker is lost when it was silent for longer than it promised', () => {
  const tables = newTables();
  register(tables, { nowMs: 1000 });
  register(tables, { ...slave, nowMs: 1000, heartbeatTimeoutMs: 10_000 });
  const expired = (nowMs: number) => tables.liveness.expired(nowMs).map((broker) => broker.address);
  assert.deepEqual(expired(11_000), []);
  assert.deepEqual(expired(11_001), ['10.0.0.2:10911']);
  tables.liveness.heard('c', '10.0.0.2:10911', 11_001);
  assert.deepEqual(expired(121_000), ['10.0.0.2:10911']);
  assert.deepEqual(expired(121_001), ['10.0.0.1:10911', '10.0.0.2:10911']);
});

test('a large table is written in slices, and one whose broker leaves between two of them leaves nothing behind', () => {
  const tables = newTables();
  const topics = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`T${i}`, 6]));
  const steps = beginToRegister(tables, { topics });
  steps.next();
  assert.equal(tables.routes.topicCount, 1000);
  steps.next();
  assert.equal(tables.routes.topicCount, 2000);
  unregister(tables, '10.0.0.1:10911');
  assert.equal(steps.next().done, true);
  assert.equal(tables.routes.topicCount, 0);
  register(tables, { topics });
  assert.equal(tables.routes.topicCount, 2500);
});

test('mappings of static topics are kept with their topics, and not without', () => {
  const tables = newTables();
  const mapping = {
    scope: '__global__',
    totalQueues: 1,
    bname: 'broker-a',
    epoch: 1,
    dirty: false,
    currIdMap: new Map(),
  };
  const [known, unknown] = ['A', 'X'].map((topic) => ({ ...mapping, topic }));
  const steps = beginToRegister(tables, { mappings: [known, unknown] });
  while (!steps.next().done);
  assert.deepEqual(tables.routes.mappingsOf('A')?.get('broker-a'), known);
  assert.equal(tables.routes.mappingsOf('X'), undefined);
});
