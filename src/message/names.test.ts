import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkGroupName,
  checkTopicName,
  dlqTopicOf,
  isDlqTopic,
  isRetryTopic,
  isStorableTopicName,
  isSystemTopic,
  parseDelayLevels,
  retryTopicOf,
  tagsCodeOf,
  topicsClosedToSend,
} from './mod.ts';

test('users may create names of letters, digits and %|_- up to the limit', () => {
  assert.equal(checkTopicName('Topic_1-a|b%c'), undefined);
  assert.equal(checkTopicName('t'.repeat(127)), undefined);
  assert.match(checkTopicName('t'.repeat(128)) ?? '', /128 characters, the limit is 127/);
  assert.equal(checkTopicName(retryTopicOf('g'.repeat(248))), undefined);
  assert.match(checkTopicName(' ') ?? '', /blank/);
  assert.match(checkTopicName('a/b') ?? '', /illegal characters/);
  assert.equal(checkGroupName('g'.repeat(120)), undefined);
  assert.match(checkGroupName('g'.repeat(121)) ?? '', /the limit is 120/);
});

test('names that RocketMQ makes itself may be stored; none leaves the store', () => {
  for (const name of ['%RETRY%g+t', '%LMQ%$parent$lite', 'host-1.example.com', 'T']) {
    assert.ok(isStorableTopicName(name), name);
  }
  for (const name of ['', '.', '..', 'a/b', '../x', 'a\\b', 'a\0b', 'é', ' ', 't'.repeat(256)]) {
    assert.ok(!isStorableTopicName(name), name);
  }
});

test('retry and dead-letter topics are named after their group', () => {
  assert.equal(retryTopicOf('g'), '%RETRY%g');
  assert.equal(dlqTopicOf('g'), '%DLQ%g');
  assert.ok(isRetryTopic('%RETRY%g') && !isRetryTopic('%DLQ%g'));
  assert.ok(isDlqTopic('%DLQ%g') && !isDlqTopic('g'));
});

test('system topics are known, by list and by prefix', () => {
  assert.ok(isSystemTopic('TBW102') && isSystemTopic('rmq_sys_anything') && !isSystemTopic('T'));
  assert.ok(topicsClosedToSend.has('SCHEDULE_TOPIC_XXXX') && !topicsClosedToSend.has('RMQ_SYS_TRACE_TOPIC'));
});

test('the delay table is parsed by its units, and refused when it is none', () => {
  assert.deepEqual(parseDelayLevels(' 1s 2m  3h 4d'), [1000, 120_000, 10_800_000, 345_600_000]);
  assert.equal(parseDelayLevels('1s 5'), undefined);
  assert.equal(parseDelayLevels(''), undefined);
});

test("the tags code is Java's hash, 0 without tags", () => {
  assert.equal(tagsCodeOf(undefined), 0);
  assert.equal(tagsCodeOf('TagA'), 2598919);
});
