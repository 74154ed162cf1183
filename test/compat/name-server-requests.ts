// What the two name servers are asked, in this order: the life of a few brokers, and whatever clients and
// administrators want to know meanwhile. Titles are unique.

import { crc32, deflateSync } from 'node:zlib';

export type Step =
  | {
      readonly title: string;
      /** Requests of one name share a connection; 'client' by default. */
      readonly by?: string;
      readonly code: number;
      readonly fields?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
      /** Version code; 5.5.0 by default. */
      readonly version?: number;
    }
  | { readonly close: string }
  | { readonly pauseMs: number };

const code = {
  putKv: 100,
  getKv: 101,
  deleteKv: 102,
  register: 103,
  unregister: 104,
  route: 105,
  cluster: 106,
  wipe: 205,
  topics: 206,
  deleteTopic: 216,
  registerTopic: 217,
  listKv: 219,
  topicsOfCluster: 224,
  systemTopics: 304,
  unitTopics: 311,
  unitSubTopics: 312,
  unitSubUnunitTopics: 313,
  updateConfig: 318,
  dataVersion: 322,
  addWrite: 327,
  members: 901,
  heartbeat: 904,
};

interface Broker {
  name?: string;
  id?: number;
  address: string;
  more?: Readonly<Record<string, string>>;
}

const a: Broker = { address: '10.0.0.1:10911' };
const aSlave: Broker = { address: '10.0.0.2:10911', id: 1 };
const b: Broker = { name: 'broker-b', address: '10.0.0.3:10911' };
const z: Broker = { name: 'broker-z', address: '10.0.0.6:10911' };
const acting = (id: number, address: string): Broker => ({
  name: 'acting',
  id,
  address,
  more: { enableActingMaster: 'true' },
});

function identity({ name = 'broker-a', id = 0, address }: Broker): Record<string, string> {
  return { brokerName: name, brokerAddr: address, clusterName: 'c', brokerId: String(id) };
}

function topicTable(topics: readonly string[], flags: Readonly<Record<string, number>> = {}) {
  return Object.fromEntries(
    topics.map((topicName) => [
      topicName,
      {
        attributes: {},
        order: false,
        perm: 6,
        readQueueNums: 4,
        topicFilterType: 'SINGLE_TAG',
        topicName,
        topicSysFlag: flags[topicName] ?? 0,
        writeQueueNums: 4,
      },
    ]),
  );
}

interface Table {
  counter?: number;
  state?: number;
  flags?: Record<string, number>;
  filterServers?: string[];
}

function tableBody(
  topics: readonly string[],
  { counter = 1, state = 0, flags, filterServers = [] }: Table = {},
): string {
  const version = { counter, stateVersion: state, timestamp: 1000 };
  return JSON.stringify({
    filterServerList: filterServers,
    topicConfigSerializeWrapper: {
      dataVersion: version,
      mappingDataVersion: { counter: 1, stateVersion: 0, timestamp: 1 },
      topicConfigTable: topicTable(topics, flags),
      topicQueueMappingDetailMap: {},
      topicQueueMappingInfoMap: {},
    },
  });
}

function register(title: string, broker: Broker, body?: string | Buffer, more: Record<string, string> = {}): Step {
  const haServerAddr = broker.address.replace('10911', '10912');
  const fields = {
    ...identity(broker),
    haServerAddr,
    enableActingMaster: 'false',
    compressed: 'false',
    bodyCrc32: '0',
    ...broker.more,
    ...more,
  };
  return { title, by: broker.address, code: code.register, fields, ...(body === undefined ? {} : { body }) };
}

function route(title: string, topic: string, fields: Record<string, string> = {}, version = 513): Step {
  return { title, code: code.route, fields: { topic, ...fields }, version };
}

function ask(title: string, requestCode: number, fields: Record<string, string> = {}, body?: string): Step {
  return { title, code: requestCode, fields, ...(body === undefined ? {} : { body }) };
}

function overview(when: string): Step[] {
  return [
    ask(`cluster ${when}`, code.cluster),
    ask(`all topics ${when}`, code.topics),
    ask(`system topics ${when}`, code.systemTopics),
    ask(`topics of the cluster ${when}`, code.topicsOfCluster, { cluster: 'c' }),
    ask(`members of broker-a ${when}`, code.members, { clusterName: 'c', brokerName: 'broker-a' }),
  ];
}

/** Length-prefixed texts and bare counts, deflated: the compressed body of a registration. */
function compressed(...parts: (string | number)[]): Buffer {
  const chunks = parts.map((part) => {
    const text = Buffer.from(typeof part === 'string' ? part : '');
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(typeof part === 'string' ? text.length : part);
    return Buffer.concat([prefix, text]);
  });
  return deflateSync(Buffer.concat(chunks));
}

const queueData = (brokerName: string, queueNums: number) =>
  JSON.stringify({
    queueDatas: [{ brokerName, perm: 6, readQueueNums: queueNums, writeQueueNums: queueNums, topicSysFlag: 0 }],
  });
const mapping =
  '{"topic":"C1","scope":"__global__","totalQueues":2,"bname":"broker-b","epoch":1,"dirty":false,"currIdMap":{0:0,1:1}}';
const crcBody = tableBody(['T1', 'T2']);
const units = { U1: 1, U2: 2, U3: 3 };
const actingTopics = ['A1', 'A2', 'rmq_sys_SYNC_BROKER_MEMBER_acting'];

export const steps: readonly Step[] = [
  ...overview('at first'),
  route('route of an unknown topic', 'T1'),
  ask('topics of an unknown cluster', code.topicsOfCluster, { cluster: 'none' }),

  register('a single topic before the broker', a, tableBody(['T1'])),
  register('a master', a, tableBody(['T1', 'T2', 'U1', 'U2', 'U3'], { flags: units })),
  ...overview('with a master'),
  route('route for 5.5.0', 'T1'),
  route('route for 4.9.4', 'T1', {}, 401),
  route('route for an older client', 'T1', {}, 400),
  route('route for an older client that wants standard JSON', 'T1', { acceptStandardJsonOnly: 'true' }, 400),
  ask('unit topics', code.unitTopics),
  ask('topics with unit subscriptions', code.unitSubTopics),
  ask('topics with unit subscriptions and no unit', code.unitSubUnunitTopics),
  register('a slave', aSlave, tableBody(['T1', 'OnlyAtTheSlave'])),
  ...overview('with a slave'),
  route('route with a slave', 'T1'),
  route('route of a topic that only the slave told', 'OnlyAtTheSlave'),

  register('a wrong checksum', a, crcBody, { bodyCrc32: '5' }),
  register('a right checksum', a, crcBody, { bodyCrc32: String(crc32(crcBody) & 0x7fffffff) }),
  ask('the known version', code.dataVersion, identity(a), '{"counter":1,"stateVersion":0,"timestamp":1000}'),
  ask('another version', code.dataVersion, identity(a), '{"counter":2,"stateVersion":0,"timestamp":1000}'),
  ask(
    'the version of an unknown broker',
    code.dataVersion,
    identity(b),
    '{"counter":2,"stateVersion":0,"timestamp":1}',
  ),
  ask('a heartbeat', code.heartbeat, identity(a)),
  ask('the heartbeat of an unknown broker', code.heartbeat, identity(b)),

  ask('wipe write permission', code.wipe, { brokerName: 'broker-a' }),
  ask('wipe write permission of an unknown broker', code.wipe, { brokerName: 'none' }),
  register('the same version after the wipe', a, tableBody(['T1', 'T2'])),
  route('route without write permission', 'T1'),
  ask('add write permission', code.addWrite, { brokerName: 'broker-a' }),
  route('route with write permission again', 'T1'),

  ask('delete a topic of the cluster', code.deleteTopic, { topic: 'T2', clusterName: 'c' }),
  ask('delete a topic of another cluster', code.deleteTopic, { topic: 'T1', clusterName: 'none' }),
  route('route of the topic that was deleted', 'T2'),
  route('route of the topic that stayed', 'T1'),
  ask('delete a topic everywhere', code.deleteTopic, { topic: 'T1' }),
  register('the same version after the deletion', a, tableBody(['T1', 'T2'])),
  route('route of the topic that came back', 'T1'),
  ask('register a topic', code.registerTopic, { topic: 'New' }, queueData('broker-a', 3)),
  route('route of the registered topic', 'New'),
  ask('register a topic again', code.registerTopic, { topic: 'New' }, queueData('broker-a', 9)),
  route('route of the topic registered again', 'New'),
  ask('register a topic at an unknown broker', code.registerTopic, { topic: 'Lost' }, queueData('none', 3)),
  route('route of the topic at an unknown broker', 'Lost'),
  ask('register a topic without a body', code.registerTopic, { topic: 'Lost' }),

  register(
    'a compressed registration',
    b,
    compressed(
      '{"counter":3,"stateVersion":0,"timestamp":5}',
      2,
      'C1 4 3 6 SINGLE_TAG {}',
      'C2 5 5 4 SINGLE_TAG',
      '[]',
      1,
      mapping,
    ),
    { compressed: 'true' },
  ),
  route('route of a static topic', 'C1'),
  route('route of a static topic for an older client', 'C1', {}, 300),
  route('route of a compressed registration', 'C2'),
  {
    ...register('a registration of 3.0', { name: 'broker-old', address: '10.0.0.4:10911' }, undefined),
    body: JSON.stringify({ dataVersion: { counter: 1, timestamp: 1 }, topicConfigTable: topicTable(['O1', 'O2']) }),
    version: 30,
  },
  route('route of the registration of 3.0', 'O1'),
  register('a registration without a body', { name: 'broker-n', address: '10.0.0.5:10911' }),
  register('a registration that is empty', { name: 'broker-n', address: '10.0.0.5:10911' }, '{}'),
  ask('cluster with all of them', code.cluster),

  register('a broker of a zone', z, tableBody(['Z1', 'T1']), { __ZONE_NAME: 'East' }),
  route('route in the zone', 'T1', { __ZONE_NAME: 'east', __ZONE_MODE: 'true' }),
  route('route in another zone', 'T1', { __ZONE_NAME: 'west', __ZONE_MODE: 'true' }),
  route('route with zones switched off', 'Z1', { __ZONE_NAME: 'west', __ZONE_MODE: 'false' }),
  route('route in the zone for an older client', 'Z1', { __ZONE_NAME: 'EAST', __ZONE_MODE: 'True' }, 300),
  register('filter servers', z, tableBody(['Z1', 'T1'], { counter: 2, filterServers: ['10.0.0.6:7000'] })),
  route('route with filter servers', 'Z1'),
  register('no filter servers any more', z, tableBody(['Z1', 'T1'], { counter: 2 })),
  route('route without filter servers', 'Z1'),

  ask('put a KV pair', code.putKv, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T1', value: 'broker-a:4é<>()&"' }),
  ask('get a KV pair', code.getKv, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T1' }),
  ask('get an unknown key', code.getKv, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T9' }),
  ask('get of an unknown namespace', code.getKv, { namespace: 'none', key: 'T1' }),
  ask('list a namespace', code.listKv, { namespace: 'ORDER_TOPIC_CONFIG' }),
  ask('list an unknown namespace', code.listKv, { namespace: 'none' }),
  ask('put without a key', code.putKv, { namespace: 'X', value: 'v' }),
  ask('put an empty value', code.putKv, { namespace: 'Y', key: 'k', value: '' }),
  ask('get an empty value', code.getKv, { namespace: 'Y', key: 'k' }),
  register('a registration that is told the order', a, tableBody(['T1', 'T2'])),
  ask('switch order on', code.updateConfig, {}, 'orderMessageEnable=true'),
  route('route with the order', 'T1'),
  route('route with the order for an older client', 'T1', {}, 300),
  ask('delete a KV pair', code.deleteKv, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T1' }),
  ask('list the emptied namespace', code.listKv, { namespace: 'ORDER_TOPIC_CONFIG' }),
  ask('delete of an unknown namespace', code.deleteKv, { namespace: 'none', key: 'T1' }),

  ask('change a path', code.updateConfig, {}, 'kvConfigPath=/tmp/x'),
  ask('change the black list', code.updateConfig, {}, 'configBlackList=x'),
  ask('change the home', code.updateConfig, {}, 'rocketmqHome=x'),
  ask('change nothing', code.updateConfig),
  ask('switch the lists off', code.updateConfig, {}, 'enableTopicList=false\nenableAllTopicList=false'),
  ask('all topics, switched off', code.topics),
  ask('topics of a cluster, switched off', code.topicsOfCluster, { cluster: 'c' }),
  ask('unit topics, switched off', code.unitTopics),
  ask('switch the lists on', code.updateConfig, {}, 'enableTopicList=true\nenableAllTopicList=true'),
  ask('wait for brokers', code.updateConfig, {}, 'needWaitForService=true\nwaitSecondsForService=1000'),
  route('route while it waits', 'T1'),
  ask('wait no more', code.updateConfig, {}, 'needWaitForService=false'),

  ask('switch acting masters on', code.updateConfig, {}, 'supportActingMaster=true'),
  register('a master with acting slaves', acting(0, '10.0.1.1:10911'), tableBody(actingTopics)),
  register('the first acting slave', acting(1, '10.0.1.2:10911'), tableBody(actingTopics)),
  register('the second acting slave', acting(2, '10.0.1.3:10911'), tableBody(actingTopics)),
  route('route before the master is lost', 'A1'),
  { close: '10.0.1.1:10911' },
  { pauseMs: 500 },
  route('route after the master is lost', 'A1'),
  ask('members after the master is lost', code.members, { clusterName: 'c', brokerName: 'acting' }),
  register('the acting slave tells its topics', acting(1, '10.0.1.2:10911'), tableBody(actingTopics, { counter: 9 })),
  route('route of the acting slave', 'A1'),
  route('route for finding the members', 'rmq_sys_SYNC_BROKER_MEMBER_acting'),
  register('the acting slave becomes master', acting(0, '10.0.1.2:10911'), tableBody(actingTopics, { state: 3 })),
  ask('cluster with the new master', code.cluster),
  register('the old master, outranked', acting(0, '10.0.1.9:10911'), tableBody([...actingTopics, 'A3'], { state: 2 })),
  ask('cluster without the outranked', code.cluster),
  route('route of the topic of the outranked', 'A3'),

  { ...ask('unregister the slave', code.unregister, identity(aSlave)), by: aSlave.address },
  { pauseMs: 300 },
  ask('cluster without the slave', code.cluster),
  { ...ask('unregister it again', code.unregister, identity(aSlave)), by: aSlave.address },
  { ...ask('unregister the master', code.unregister, identity(a)), by: a.address },
  { pauseMs: 300 },
  ...overview('without broker-a'),
  route('route of a topic that is gone', 'T2'),
  route('route of a topic that another broker has', 'T1'),

  register(
    'a broker that promises heartbeats',
    { name: 'silent', address: '10.0.2.1:10911' },
    tableBody(['S1', 'S2']),
    {
      heartbeatTimeoutMillis: '500',
    },
  ),
  route('route before it is silent', 'S1'),
  { pauseMs: 6500 },
  route('route after it was silent', 'S1'),
  { ...ask('its connection', code.heartbeat, identity(a)), by: '10.0.2.1:10911' },

  route('route of __proto__', '__proto__'),
  ask('an unknown code', 9999),
  ask('a code for brokers', 310, { a: 'x' }),
];
