import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientError } from './client-error.ts';
import { parseRoute, publishQueues, subscribeQueues } from './route.ts';

const route = (text: string) => parseRoute(Buffer.from(text));
const names = (queues: { brokerName: string; queueId: number }[]) =>
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
  assert.equal(names(publishQueues(parsed, 'T')), 'a0,a1');
  assert.equal(names(subscribeQueues(parsed, 'T')), 'a0,a1,a2,b0');
});

test('permissions decide what may be written and read', () => {
  const withPerm = (perm: number) => route(`{${brokerDatas},${queueDatas.replaceAll('"perm":6', `"perm":${perm}`)}}`);
  assert.equal(names(publishQueues(withPerm(4), 'T')), '');
  assert.equal(names(subscribeQueues(withPerm(4), 'T')), 'a0,a1,a2,b0');
  assert.equal(names(subscribeQueues(withPerm(2), 'T')), '');
});

test('an ordered topic is written to exactly the queues of its configuration', () => {
  const parsed = route(`{${brokerDatas},${queueDatas},"orderTopicConf":"b:2;a:1"}`);
  assert.equal(names(publishQueues(parsed, 'T')), 'b0,b1,a0');
});

test('what is no route is refused, not believed', () => {
  for (const text of ['', '{', `{"queueDatas":[{"brokerName":"a","readQueueNums":1e9,"writeQueueNums":1}]}`]) {
    assert.throws(
      () => route(text),
      (error) => error instanceof ClientError && error.failure === 'invalid',
      text,
    );
  }
  assert.equal(names(subscribeQueues(route('[]'), 'T')), '');
});
