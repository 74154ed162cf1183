import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf, withBroker } from '../../../test/broker/sim-broker.ts';
import { parseProperties } from '../../common/mod.ts';
import { parseOffsetMessageId } from '../../message/mod.ts';

const always = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER, maxNum: 10 };

test(
  'messages are found by key and by unique key, also after a restart',
  withBroker(async ({ ask, send, restart }) => {
    const unique = 'U'.repeat(32);
    await send({ body: 'a', properties: { KEYS: 'k1 k2', UNIQ_KEY: unique } });
    await send({ body: 'b', properties: { KEYS: 'k2' } });
    const find = async (key: string, extra = {}) => {
      const answer = await ask('queryMessage', { topic: 'T', key, ...always }, { extra });
      return [
        answer.code,
        messagesOf(answer)
          .map(({ text }) => text)
          .sort()
          .join(),
      ];
    };
    for (const how of ['stop', 'kill'] as const) {
      assert.deepEqual(await find('k1'), [0, 'a']);
      assert.deepEqual(await find('k2'), [0, 'a,b']);
      assert.deepEqual(await find(unique, { _UNIQUE_KEY_QUERY: 'true' }), [0, 'a']);
      await restart(how);
    }
    const none = await ask('queryMessage', { topic: 'T', key: 'k3', ...always });
    assert.deepEqual([none.code, none.remark], [22, 'can not find message, maybe time range not correct']);
  }),
);

test(
  'a message is found by the id that its sender was told',
  withBroker(async ({ ask, send }) => {
    await send({ body: 'first' });
    const id = parseOffsetMessageId((await send({ body: 'second' })).fields.msgId ?? '');
    const view = (offset: number) => ask('viewMessageById', { offset });
    assert.deepEqual(
      messagesOf(await view(id?.physicalOffset ?? -1)).map(({ text }) => text),
      ['second'],
    );
    for (const offset of [-1, 1, 9_999_999]) {
      const answer = await view(offset);
      assert.deepEqual([answer.code, answer.remark], [1, `can not find message by the offset, ${offset}`]);
    }
  }),
);

test(
  'run-time figures and configuration are told',
  withBroker(async ({ ask, send, world }) => {
    await send();
    await world.sleep(10_500);
    const { table } = JSON.parse(Buffer.from((await ask('getBrokerRuntimeInfo', {})).body).toString());
    assert.deepEqual(
      [table.brokerVersionDesc, table.brokerActive, table.msgPutTotalTodayNow, table.commitLogMinOffset],
      ['V5_5_0', 'true', '1', '0'],
    );
    assert.ok(Number(table.commitLogMaxOffset) > 0);
    assert.match(table.putTps, /^0\.1\d 0\.1\d 0\.1\d$/);
    const age = Date.UTC(2026, 0, 1) - Number(table.earliestMessageTimeStamp);
    assert.ok(age <= 0 && age > -2000, String(age));
    const config = await ask('getBrokerConfig', {});
    const properties = parseProperties(Buffer.from(config.body).toString());
    assert.deepEqual(
      ['brokerName', 'maxIndexNum', 'autoCreateTopicEnable', 'serverChannelMaxIdleTimeSeconds'].map((name) =>
        properties.get(name),
      ),
      ['b', '4000', 'true', '120'],
    );
    assert.match(String(config.fields.version), /^\{"counter":0/);
  }),
);
