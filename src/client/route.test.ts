import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientError } from './client-error.ts';
import { parseRoute } from './route.ts';

const route = (text: string) => parseRoute('T', Buffer.from(text));
const names = (queues: readonly { brokerName: string; queueId: number }[]) =>
  queues.map(({ brokerName, queueId }) => `${brokerName}${queueId}`).join();

const brokerDatas = `"brokerDatas":[
  {"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"a","cluster":"c"},
  {"brokerAddrs":{"1":"10.0.0.3:10911"},"brokerName":"b","cluster":"c"}]`;
const queueDatas = `"queueDatas":[
  {"brokerName":"b","perm":6,"readQueueNums":1,"topicSysFlag":0,"writeQueueNums":1},
  {"brokerName":"a","perm":6,"readQueueNums":3,"topicSysFlag":0,"writeQueueNums":2}]`;

test('both dialects of the name server are read', () => {
  for (const text of [
    `{${brokerDatas},${queueDatas}}`,
    `{${brokerDatas.replaceAll(/"(\d)":/g, '$1:')},${queueDatas}}`,
  ]) {
    const { brokers } = route(text);
    assert.deepEqual(
      [...(brokers.get('a') ?? [])],
      [
        [0, '10.0.0.1:10911'],
        [1, '10.0.0.2:10911'],
      ],
    );
  }
});

test('writing needs a master, reading does not; queues come by broker name', () => {
  const parsed = route(`{${brokerDatas},${queueDatas}}`);
  assert.equal(names(parsed.publishQueues), 'a0,a1');
  assert.equal(names(parsed.subscribeQueues), 'a0,a1,a2,b0');
});

test('permissions decide what may be written and read', () => {
  const withPerm = (perm: number) => route(`{${brokerDatas},${queueDatas.replaceAll('"perm":6', `"perm":${perm}`)}}`);
  assert.equal(names(withPerm(4).publishQueues), '');
  assert.equal(names(withPerm(4).subscribeQueues), 'a0,a1,a2,b0');
  assert.equal(names(withPerm(2).subscribeQueues), '');
});

test('an ordered topic is written to exactly the queues of its configuration', () => {
  const parsed = route(`{${brokerDatas},${queueDatas},"orderTopicConf":"b:2;a:1"}`);
  assert.equal(names(parsed.publishQueues), 'b0,b1,a0');
});

test('what is no route is refused, not believed', () => {
  for (const text of ['', '{', `{"queueDatas":[{"brokerName":"a","readQueueNums":1e9,"writeQueueNums":1}]}`]) {
    assert.throws(
      () => route(text),
      (error) => error instanceof ClientError && error.failure === 'invalid',
      text,
    );
  }
  assert.equal(names(route('[]').subscribeQueues), '');
});
