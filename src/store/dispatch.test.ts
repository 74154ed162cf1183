import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeProperties, type StoredMessage, SysFlag, tagsCodeOf } from '../message/mod.ts';
import { dispatchOf } from './dispatch.ts';
import { indexKeyHash } from './index-file.ts';

const delayLevelsMs = [1000, 5000];

function recordOf(record: { topic?: string; sysFlag?: number; properties?: [string, string][] }): StoredMessage {
  const { topic = 'T', sysFlag = 0, properties = [] } = record;
  const bytes = new Uint8Array(0);
  return {
    sizeBytes: 100,
    bodyCrc: 0,
    queueId: 0,
    flag: 0,
    queueOffset: 0,
    physicalOffset: 0,
    sysFlag,
    bornTimestampMs: 0,
    bornIp: bytes,
    bornPort: 0,
    storeTimestampMs: 10_000,
    storeIp: bytes,
    storePort: 0,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: bytes,
    topic,
    properties: Buffer.from(encodeProperties(properties), 'utf8'),
  };
}

describe('what a record makes', () => {
  test('are index entries for its unique key, each of its keys, and its tags', () => {
    const properties: [string, string][] = [
      ['UNIQ_KEY', 'U1'],
      ['KEYS', 'a  b '],
      ['TAGS', 'x'],
    ];
    const { keyHashes, tagsCode } = dispatchOf(recordOf({ properties }), delayLevelsMs);
    assert.deepEqual(keyHashes, ['T#U1', 'T#a', 'T#b', 'T#T#x'].map(indexKeyHash));
    assert.equal(tagsCode, tagsCodeOf('x'));
  });

  test('is a deliver time instead of tags in the schedule topic; levels beyond the last mean the last', () => {
    const delayed = (level: string) =>
      dispatchOf(recordOf({ topic: 'SCHEDULE_TOPIC_XXXX', properties: [['DELAY', level]] }), delayLevelsMs).tagsCode;
    assert.deepEqual([delayed('1'), delayed('2'), delayed('9'), delayed('0')], [11_000, 15_000, 15_000, 0]);
  });

  for (const [state, sysFlag, hasUnit, keys] of [
    ['prepared', SysFlag.TRANSACTION_PREPARED, false, 1],
    ['committed', SysFlag.TRANSACTION_COMMIT, true, 1],
    ['rolled back', SysFlag.TRANSACTION_ROLLBACK, false, 0],
  ] as const) {
    test(`of a ${state} transaction: ${hasUnit ? 'a' : 'no'} queue entry, ${keys === 1 ? 'its' : 'no'} index entries`, () => {
      const made = dispatchOf(recordOf({ sysFlag, properties: [['KEYS', 'k']] }), delayLevelsMs);
      assert.deepEqual([made.hasUnit, made.keyHashes.length], [hasUnit, keys]);
    });
  }

  test('are entries of light queues, where a Java broker dispatched to several', () => {
    const properties: [string, string][] = [
      ['INNER_MULTI_DISPATCH', '%LMQ%a,%LMQ%b,other'],
      ['INNER_MULTI_QUEUE_OFFSET', '3,0,7'],
    ];
    assert.deepEqual(dispatchOf(recordOf({ properties }), delayLevelsMs).lightQueues, [
      { topic: '%LMQ%a', queueOffset: 3 },
      { topic: '%LMQ%b', queueOffset: 0 },
    ]);
    assert.deepEqual(dispatchOf(recordOf({ properties: properties.slice(0, 1) }), delayLevelsMs).lightQueues, []);
  });
});
