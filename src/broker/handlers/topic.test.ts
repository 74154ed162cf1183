import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBroker } from '../../../test/broker/sim-broker.ts';
import { parseLooseJson } from '../../common/mod.ts';
import type { RequestOf } from '../../remoting/mod.ts';
import { asObject } from '../json-state.ts';

const jsonOf = ({ body }: { body: Uint8Array }) => asObject(parseLooseJson(Buffer.from(body).toString()));

const wanted: RequestOf<'updateAndCreateTopic'> = {
  topic: 'T',
  defaultTopic: 'TBW102',
  readQueueNums: 2,
  writeQueueNums: 3,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  order: false,
};

test(
  'a topic is created, changed and found again after a restart',
  withBroker(async ({ ask, restart }) => {
    assert.equal((await ask('updateAndCreateTopic', { ...wanted, attributes: '+message.type=FIFO' })).code, 0);
    assert.equal((await ask('updateAndCreateTopic', { ...wanted, writeQueueNums: 5, order: true })).code, 0);
    await restart('stop');
    const topic = jsonOf(await ask('getTopicConfig', { topic: 'T' }));
    assert.deepEqual(
      [topic?.readQueueNums, topic?.writeQueueNums, topic?.order, asObject(topic?.attributes)?.['message.type']],
      [2, 5, true, 'FIFO'],
    );
  }),
);

test(
  'an identical topic is no change',
  withBroker(async ({ ask }) => {
    const version = async () => asObject(jsonOf(await ask('getAllTopicConfig', { topicSeq: 0 }))?.dataVersion)?.counter;
    await ask('updateAndCreateTopic', wanted);
    const before = await version();
    await ask('updateAndCreateTopic', wanted);
    assert.equal(await version(), before);
    await ask('updateAndCreateTopic', { ...wanted, perm: 4 });
    assert.equal(await version(), Number(before) + 1);
  }),
);

test(
  'topics that make no sense are refused, and not created',
  withBroker(async ({ ask }) => {
    const refused: [Partial<typeof wanted>, number, RegExp][] = [
      [{ topic: '' }, 29, /blank/],
      [{ topic: '../T' }, 29, /illegal characters/],
      [{ topic: 'TBW102' }, 29, /conflict with system topic/],
      [{ topic: 'b' }, 29, /conflict with system topic/],
      [{ topic: 'rmq_sys_x' }, 29, /conflict with system topic/],
      [{ readQueueNums: -1 }, 29, /out of range/],
      [{ perm: 16 }, 29, /out of range/],
      [{ writeQueueNums: 65_537 }, 1, /limit of a topic is 65536/],
      [{ attributes: '+color=red' }, 1, /unsupported attribute/],
      [{ attributes: 'message.type=FIFO' }, 1, /malformed/],
      [{ attributes: '+message.type=MIXED' }, 29, /MIXED/],
      [{ attributes: '+queue.type=BatchCQ' }, 29, /not served/],
    ];
    for (const [changes, code, remark] of refused) {
      const answer = await ask('updateAndCreateTopic', { ...wanted, ...changes });
      assert.equal(answer.code, code, `${JSON.stringify(changes)}: ${answer.remark}`);
      assert.match(String(answer.remark), remark);
    }
    assert.equal((await ask('getTopicConfig', { topic: 'T' })).code, 17);
  }),
);

test(
  'a deleted topic is gone with its queues and offsets, and begins anew',
  withBroker(async ({ ask, send, pull, restart }) => {
    await send();
    await pull({ sysFlag: 5, commitOffset: 1 });
    assert.equal((await ask('deleteTopicInBroker', { topic: ' ' })).code, 29);
    assert.equal((await ask('deleteTopicInBroker', { topic: 'TBW102' })).code, 29);
    assert.equal((await ask('deleteTopicInBroker', { topic: 'T' })).code, 0);
    assert.equal((await pull()).code, 17);
    const query = () => ask('queryConsumerOffset', { consumerGroup: 'g', topic: 'T', queueId: 0 });
    assert.equal((await query()).code, 22);
    assert.equal((await send()).fields.queueOffset, 0);
    await restart('stop');
    assert.equal((await ask('getMaxOffset', { topic: 'T', queueId: 0 })).fields.offset, 1);
  }),
);

test(
  'all topics are listed at once, when pages are switched off',
  withBroker(
    async ({ ask }) => {
      const all = await ask('getAllTopicConfig', { topicSeq: 7, maxTopicNum: 1 });
      const names = Object.keys(asObject(jsonOf(all)?.topicConfigTable) ?? {});
      assert.ok(names.includes('TBW102'));
      assert.equal(all.fields.totalTopicNum, names.length);
    },
    { properties: { enableSplitMetadata: 'false' } },
  ),
);

test(
  'topics are listed page by page, in order; whoever comes with another version begins anew',
  withBroker(
    async ({ ask }) => {
      await ask('updateAndCreateTopic', wanted);
      const namesOf = (page: { body: Uint8Array }) => Object.keys(asObject(jsonOf(page)?.topicConfigTable) ?? {});
      const first = await ask('getAllTopicConfig', { topicSeq: 0, maxTopicNum: 100 });
      const dataVersion = JSON.stringify(jsonOf(first)?.dataVersion);
      const seen = namesOf(first);
      assert.equal(seen.length, 4);
      const total = first.fields.totalTopicNum ?? 0;
      while (seen.length < total) {
        seen.push(...namesOf(await ask('getAllTopicConfig', { topicSeq: seen.length, maxTopicNum: 100, dataVersion })));
      }
      assert.deepEqual(seen, [...new Set(seen)].sort());
      assert.ok(seen.includes('T'));
      const stale = await ask('getAllTopicConfig', { topicSeq: 8, maxTopicNum: 1, dataVersion: '{}' });
      assert.deepEqual(namesOf(stale), [seen[0]]);
    },
    { properties: { splitMetadataSize: '4' } },
  ),
);

test(
  'the state of the queues of a topic is told',
  withBroker(async ({ ask, send, world }) => {
    await ask('updateAndCreateTopic', wanted);
    await send({ queueId: 1 });
    await world.sleep(10_001);
    const answer = await ask('getTopicStatsInfo', { topic: 'T' });
    assert.equal(jsonOf(answer)?.topicPutTps, 0.1);
    const table = asObject(jsonOf(answer)?.offsetTable) ?? {};
    assert.deepEqual(Object.keys(table), [
      '{"brokerName":"b","queueId":0,"topic":"T"}',
      '{"brokerName":"b","queueId":1,"topic":"T"}',
      '{"brokerName":"b","queueId":2,"topic":"T"}',
    ]);
    const [none, one] = Object.values(table).map((row) => asObject(row));
    assert.deepEqual([none?.minOffset, none?.maxOffset, none?.lastUpdateTimestamp], [0, 0, 0]);
    assert.deepEqual([one?.minOffset, one?.maxOffset], [0, 1]);
    assert.ok(Number(one?.lastUpdateTimestamp) >= Date.UTC(2026, 0, 1));
    assert.equal((await ask('getTopicStatsInfo', { topic: 'nowhere' })).code, 17);
  }),
);

test(
  'a topic may have many tags a message, and its retry topics of POP go with it',
  withBroker(
    async ({ ask, send, pull }) => {
      await ask('updateAndCreateTopic', { ...wanted, topicFilterType: 'MULTI_TAG' });
      assert.equal(jsonOf(await ask('getTopicConfig', { topic: 'T' }))?.topicFilterType, 'MULTI_TAG');
      await ask('updateAndCreateTopic', wanted);
      assert.equal(jsonOf(await ask('getTopicConfig', { topic: 'T' }))?.topicFilterType, 'SINGLE_TAG');
      for (const topic of ['%RETRY%g+T', '%RETRY%g_T', '%RETRY%h_T']) await send({ topic });
      await pull({ sysFlag: 5, commitOffset: 1 });
      await ask('deleteTopicInBroker', { topic: 'T' });
      const codes = [];
      for (const topic of ['%RETRY%g+T', '%RETRY%g_T', '%RETRY%h_T']) {
        codes.push((await ask('getTopicConfig', { topic })).code);
      }
      assert.deepEqual(codes, [17, 17, 0]);
    },
    { properties: { clearRetryTopicWhenDeleteTopic: 'true' } },
  ),
);
