import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicRules } from '../../test/broker/topic-rules.ts';
import { parseLooseJson } from '../common/mod.ts';
import type { Disk } from '../io/mod.ts';
import { readStateFile, StateFile } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { asObject } from './json-state.ts';
import { plainTopic, type Topic, type TopicRules } from './topic.ts';
import { Topics } from './topics.ts';

const path = '/store/config/topics.json';

interface World {
  disk: Disk;
  open(changes?: Partial<TopicRules>, refusal?: () => string | undefined): Promise<Topics>;
  write(file: string, text: string): Promise<void>;
}

function inWorld(run: (world: World) => Promise<void>) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { disk, clock, timers, log } = world.node('broker').env;
      await run({
        disk,
        open: (changes = {}, refusal = () => undefined) =>
          Topics.open({ ...topicRules, ...changes }, { disk, clock, timers, log }, path, refusal),
        write: (file, text) => new StateFile(disk, file, () => Buffer.from(text)).save(),
      });
    });
  };
}

function shape(topic: Topic | string | undefined) {
  assert.ok(typeof topic === 'object', String(topic));
  return [topic.readQueueNums, topic.writeQueueNums, topic.perm];
}

test(
  "the first start has Apache's system topics",
  inWorld(async ({ open }) => {
    const topics = await open({ traceTopic: 'RMQ_SYS_TRACE_TOPIC' });
    const expected = {
      SELF_TEST_TOPIC: [1, 1, 6],
      TBW102: [8, 8, 7],
      BenchmarkTest: [1024, 1024, 6],
      c: [16, 16, 7],
      b: [1, 1, 7],
      OFFSET_MOVED_EVENT: [1, 1, 6],
      SCHEDULE_TOPIC_XXXX: [18, 18, 6],
      RMQ_SYS_TRACE_TOPIC: [1, 1, 6],
      c_REPLY_TOPIC: [1, 1, 6],
      rmq_sys_REVIVE_LOG_c: [8, 8, 6],
      rmq_sys_SYNC_BROKER_MEMBER_b: [1, 1, 1],
      RMQ_SYS_TRANS_HALF_TOPIC: [1, 1, 6],
      RMQ_SYS_TRANS_OP_HALF_TOPIC: [1, 1, 6],
      RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC: [1, 1, 6],
      RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC: [1, 1, 6],
      rmq_sys_wheel_timer: [1, 1, 6],
    };
    for (const [name, numbers] of Object.entries(expected)) assert.deepEqual(shape(topics.get(name)), numbers, name);
    assert.equal(topics.size, Object.keys(expected).length);
    assert.equal(topics.isSystem('b'), true);
    assert.equal(topics.isSystem('mine'), false);
  }),
);

test(
  'a send creates a topic by its template: at most its queues, its perm without inheritance',
  inWorld(async ({ open }) => {
    const topics = await open();
    const before = { ...topics.version };
    assert.deepEqual(shape(topics.createBySend('few', 'TBW102', 4, 0)), [4, 4, 6]);
    assert.deepEqual(shape(topics.createBySend('many', 'TBW102', 100, 0)), [8, 8, 6]);
    assert.deepEqual(shape(topics.createBySend('none', 'TBW102', -1, 0)), [0, 0, 6]);
    assert.equal(topics.version.counter, before.counter + 3);
  }),
);

test(
  'no topic is created without a template that can be inherited from, nor beyond the limits',
  inWorld(async ({ open }) => {
    const topics = await open();
    assert.match(String(topics.createBySend('t', 'nowhere', 4, 0)), /does not exist/);
    assert.match(String(topics.createBySend('t', 'BenchmarkTest', 4, 0)), /cannot be inherited/);
    assert.match(String(topics.create(plainTopic('t', 70_000))), /the limit of a topic is 65536/);
    const off = await open({ autoCreate: false });
    assert.match(String(off.createBySend('t', 'TBW102', 4, 0)), /autoCreateTopicEnable is off/);
    const full = await open({}, () => 'no new queues');
    assert.equal(full.createBySend('t', 'TBW102', 4, 0), 'no new queues');
    assert.equal(full.get('t'), undefined);
  }),
);

test(
  'what changed is announced and found again after a restart, in the shape of a Java broker',
  inWorld(async ({ open, disk }) => {
    const topics = await open();
    const announced: string[] = [];
    topics.onChange((changed) => announced.push(...changed.map(({ topicName }) => topicName)));
    await topics.put({ ...plainTopic('mine', 3), order: true, attributes: { 'message.type': 'FIFO' } });
    topics.markOrdered(['mine', 'TBW102', 'unknown']);
    await topics.save();
    assert.deepEqual(announced, ['mine', 'TBW102']);
    const json = asObject(parseLooseJson(String(Buffer.from((await readStateFile(disk, path)) ?? []))));
    assert.deepEqual(JSON.parse(JSON.stringify(asObject(json?.topicConfigTable)?.mine)), {
      attributes: { 'message.type': 'FIFO' },
      order: true,
      perm: 6,
      readQueueNums: 3,
      topicFilterType: 'SINGLE_TAG',
      topicName: 'mine',
      topicSysFlag: 0,
      writeQueueNums: 3,
    });
    const again = await open();
    assert.equal(again.get('mine')?.json, topics.get('mine')?.json);
    assert.equal(again.get('TBW102')?.order, true);
    assert.deepEqual(again.version, topics.version);
    await again.delete('mine');
    assert.equal((await open()).get('mine'), undefined);
  }),
);

test(
  "a file of a Java broker is read, also an old one's, and what it says of system topics counts",
  inWorld(async ({ open, write }) => {
    await write(
      path,
      '{"dataVersion":{"counter":7,"timestamp":5},"topicConfigTable":{' +
        '"TBW102":{"order":false,"perm":7,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"TBW102","topicSysFlag":0,"writeQueueNums":2},' +
        '"old":{"perm":4}}}',
    );
    const topics = await open();
    assert.deepEqual(shape(topics.get('TBW102')), [2, 2, 7]);
    assert.deepEqual(shape(topics.get('old')), [16, 16, 4]);
    assert.deepEqual(topics.version, { counter: 7, stateVersion: 0, timestamp: 5 });
  }),
);

test(
  'what this version does not know of a file and its rows is written again, also when the topic changes',
  inWorld(async ({ open, write, disk }) => {
    const row = '"b":9007199254740993,"topicTier":{"later":[1,"x"]}';
    await write(path, `{"fileTier":{"1":2},"topicConfigTable":{"t":{"perm":4,${row}},"gone":{"perm":4,${row}}}}`);
    const topics = await open();
    await topics.delete('gone');
    topics.create(plainTopic('gone', 1));
    await topics.put(plainTopic('t', 3));
    const text = String(Buffer.from((await readStateFile(disk, path)) ?? []));
    assert.match(text, /"fileTier":\{"1":2\}/);
    assert.equal(text.split(row).length - 1, 1, 'of the row that stayed');
    assert.deepEqual(shape((await open()).get('t')), [3, 3, 6]);
  }),
);

test(
  'a torn file is replaced by the one before; where that is torn too, the start is refused',
  inWorld(async ({ open, write }) => {
    await write(`${path}.bak`, '{"topicConfigTable":{"kept":{"perm":6}}}');
    await write(path, '{"topicConfigTable":{"kep');
    assert.deepEqual(shape((await open()).get('kept')), [16, 16, 6]);
    await write(`${path}.bak`, '[]');
    await assert.rejects(open(), /topics\.json is not a JSON object, and neither is .*\.bak/);
  }),
);

test(
  'a name that would leave the store directory is refused at the start',
  inWorld(async ({ open, write }) => {
    await write(path, '{"topicConfigTable":{"../../etc":{"perm":6}}}');
    await assert.rejects(open(), /cannot be a topic's name/);
  }),
);
