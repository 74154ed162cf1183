import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeDialect, routeJson } from './route-json.ts';
import { inZone, type TopicRoute } from './topic-route.ts';

const route: TopicRoute = {
  groups: [
    {
      cluster: 'c',
      brokerName: 'b',
      addresses: new Map([
        [1, 'h2:10911'],
        [0, 'h:10911'],
      ]),
      actingMaster: false,
      zoneName: undefined,
    },
  ],
  queues: [{ brokerName: 'b', perm: 6, readQueueNums: 4, topicSysFlag: 0, writeQueueNums: 4 }],
  filterServers: new Map(),
  mappings: undefined,
  orderTopicConf: undefined,
};

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

test('the strict dialect is standard JSON', () => {
  assert.equal(
    textOf(routeJson(route, 'strict')),
    '{"brokerDatas":[{"brokerAddrs":{"0":"h:10911","1":"h2:10911"},"brokerName":"b","cluster":"c","enableActingMaster":false}],' +
      '"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}',
  );
});

test('the loose dialect has bare integer keys', () => {
  assert.match(textOf(routeJson(route, 'loose')), /"brokerAddrs":\{0:"h:10911",1:"h2:10911"\}/);
});

test('what is not ASCII is not escaped in either dialect', () => {
  for (const dialect of ['strict', 'loose'] as const) {
    assert.match(textOf(routeJson({ ...route, orderTopicConf: 'bé<:4' }, dialect)), /"orderTopicConf":"bé<:4"/);
  }
});

test('static mappings are written with their integer keys', () => {
  const mapping = {
    topic: 'T',
    scope: '__global__',
    totalQueues: 1,
    bname: 'b',
    epoch: 1,
    dirty: false,
    currIdMap: new Map([[0, 3]]),
  };
  const text = textOf(routeJson({ ...route, mappings: new Map([['b', mapping]]) }, 'loose'));
  assert.match(text, /"topicQueueMappingByBroker":\{"b":\{"bname":"b","currIdMap":\{0:3\},"dirty":false,"epoch":1/);
});

test('clients from 4.9.4 on, and those that ask for it, get the strict dialect', () => {
  assert.deepEqual(
    [routeDialect(400, false), routeDialect(400, true), routeDialect(401, false)],
    ['loose', 'strict', 'strict'],
  );
});

test('in a zone are its own groups, in any case of letters, and those without a master', () => {
  const group = (brokerName: string, zoneName: string | undefined, id: number) => ({
    cluster: 'c',
    brokerName,
    addresses: new Map([[id, `${brokerName}:10911`]]),
    actingMaster: false,
    zoneName,
  });
  const groups = [
    group('mine', 'East', 0),
    group('other', 'west', 0),
    group('orphan', 'west', 1),
    group('none', undefined, 0),
  ];
  const seen = inZone(
    {
      ...route,
      groups,
      queues: groups.map(({ brokerName }) => ({
        brokerName,
        perm: 6,
        readQueueNums: 1,
        writeQueueNums: 1,
        topicSysFlag: 0,
      })),
      filterServers: new Map([
        ['mine:10911', ['f1']],
        ['other:10911', ['f2']],
      ]),
    },
    'eaST',
  );
  assert.deepEqual(
    seen.groups.map((g) => g.brokerName),
    ['mine', 'orphan'],
  );
  assert.deepEqual(
    seen.queues.map((q) => q.brokerName),
    ['mine', 'orphan'],
  );
  assert.deepEqual([...seen.filterServers.keys()], ['mine:10911']);
});
