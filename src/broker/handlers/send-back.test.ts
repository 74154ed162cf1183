import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf, type TestBroker, withBroker } from '../../../test/broker/sim-broker.ts';
import type { RequestOf } from '../../remoting/mod.ts';

async function sendBack({ ask }: TestBroker, changes: Partial<RequestOf<'consumerSendMsgBack'>> = {}) {
  return await ask('consumerSendMsgBack', { offset: 0, group: 'g', delayLevel: 0, ...changes });
}

test(
  'a returned message comes again through the retry topic after its delay, and knows where it came from',
  withBroker(async (broker) => {
    const { send, pull, world } = broker;
    const sent = await send({
      properties: { TAGS: 'A', UNIQ_KEY: 'K'.repeat(32) },
      header: { flag: 3, bornTimestamp: 77 },
    });
    const answer = await sendBack(broker);
    assert.equal(answer.code, 0, answer.remark);
    await world.sleep(9_900);
    assert.equal((await pull({ topic: '%RETRY%g' })).code, 19);
    await world.sleep(400);
    const [again] = messagesOf(await pull({ topic: '%RETRY%g' }));
    assert.deepEqual(
      [again.text, again.flag, again.bornTimestampMs, again.reconsumeTimes, again.map.get('TAGS')],
      ['hello', 3, 77, 1, 'A'],
    );
    assert.deepEqual(
      ['RETRY_TOPIC', 'ORIGIN_MESSAGE_ID', 'REAL_TOPIC', 'REAL_QID', 'DELAY', 'UNIQ_KEY'].map((name) =>
        again.map.get(name),
      ),
      ['T', sent.fields.msgId, '%RETRY%g', '0', '3', 'K'.repeat(32)],
    );
    await sendBack(broker, { offset: again.physicalOffset, delayLevel: 1 });
    await world.sleep(1_200);
    const third = messagesOf(await pull({ topic: '%RETRY%g', queueOffset: 1 }))[0];
    assert.deepEqual(
      [third.reconsumeTimes, third.map.get('RETRY_TOPIC'), third.map.get('ORIGIN_MESSAGE_ID')],
      [2, 'T', sent.fields.msgId],
    );
  }),
);

test(
  'a retry topic with fewer queues than its group may have gets the message into one that is read',
  withBroker(async (broker) => {
    const { send, pull, ask, world } = broker;
    await send();
    await sendBack(broker, { delayLevel: 1 });
    await ask('updateAndCreateSubscriptiongroup', {}, { body: '{"groupName":"g","retryQueueNums":8}' });
    for (let i = 0; i < 10; i++) assert.equal((await sendBack(broker, { delayLevel: 1 })).code, 0);
    await world.sleep(1_200);
    assert.equal(messagesOf(await pull({ topic: '%RETRY%g' })).length, 11);
  }),
);

test(
  'after too many tries, or with a negative level, it becomes a dead letter',
  withBroker(async (broker) => {
    const { send, pull, ask, broker: running } = broker;
    await send();
    await sendBack(broker, { delayLevel: -1 });
    await ask('updateAndCreateSubscriptiongroup', {}, { body: '{"groupName":"g","retryMaxTimes":0}' });
    await sendBack(broker);
    await sendBack(broker, { maxReconsumeTimes: 5 });
    const dead = messagesOf(await pull({ topic: '%DLQ%g' }));
    assert.deepEqual(
      dead.map(({ text, map, reconsumeTimes }) => [text, map.get('RETRY_TOPIC'), map.get('DELAY'), reconsumeTimes]),
      [
        ['hello', 'T', '0', 1],
        ['hello', 'T', '0', 1],
      ],
    );
    assert.deepEqual([running.stats().counters.deadLettersTotal, running.stats().counters.sentBackTotal], [2, 1]);
  }),
);

test(
  'what cannot be returned is refused with the code that Apache gives',
  withBroker(async (broker) => {
    const { send, ask } = broker;
    await send();
    assert.equal((await sendBack(broker, { group: 'no good' })).code, 26);
    for (const offset of [-1, 1, 9_999_999]) {
      const answer = await sendBack(broker, { offset });
      assert.deepEqual([answer.code, answer.remark], [1, `look message by offset failed, ${offset}`]);
    }
    await ask('updateAndCreateSubscriptiongroup', {}, { body: '{"groupName":"none","retryQueueNums":0}' });
    assert.equal((await sendBack(broker, { group: 'none', offset: -1 })).code, 0);
  }),
);

test(
  'a message sent with a delay level comes after it; a level beyond the last means the last',
  withBroker(
    async ({ send, pull, world, ask }) => {
      const answer = await send({ queueId: 2, properties: { DELAY: '2', TAGS: 'A' } });
      assert.deepEqual([answer.code, answer.fields.queueId], [0, 2]);
      await send({ queueId: 2, body: 'later', properties: { DELAY: '99' } });
      assert.equal((await ask('getMaxOffset', { topic: 'SCHEDULE_TOPIC_XXXX', queueId: 1 })).fields.offset, 1);
      assert.equal((await ask('getMaxOffset', { topic: 'SCHEDULE_TOPIC_XXXX', queueId: 2 })).fields.offset, 1);
      await world.sleep(5_200);
      const [first, ...none] = messagesOf(await pull({ queueId: 2, subscription: 'A' }));
      assert.deepEqual([first.text, none.length, first.map.get('REAL_QID')], ['hello', 0, '2']);
      await world.sleep(15_000);
      assert.deepEqual(
        messagesOf(await pull({ queueId: 2 })).map(({ text }) => text),
        ['hello', 'later'],
      );
    },
    { properties: { messageDelayLevel: '1s 5s 20s' } },
  ),
);

test(
  'delayed messages survive a stop and a kill, and none comes twice after a stop',
  withBroker(async ({ send, pull, world, restart }) => {
    for (const body of ['a', 'b', 'c']) await send({ body, properties: { DELAY: '2' } });
    await world.sleep(1000);
    await restart('kill');
    await world.sleep(5_000);
    assert.deepEqual(
      messagesOf(await pull()).map(({ text }) => text),
      ['a', 'b', 'c'],
    );
    await restart('stop');
    await world.sleep(2_000);
    assert.equal(messagesOf(await pull()).length, 3);
  }),
);
