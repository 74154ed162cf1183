import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueLocks } from './queue-locks.ts';

const queue = (queueId: number) => ({ topic: 'T', brokerName: 'b', queueId });

function newLocks() {
  const time = { nowMs: 0 };
  return { time, locks: new QueueLocks({ monotonicMs: () => time.nowMs, wallMs: () => 0 }) };
}

test('a queue belongs to who locked it first, until it is given up', () => {
  const { locks } = newLocks();
  assert.deepEqual(locks.lock('g', 'one', [queue(0), queue(1)]), [queue(0), queue(1)]);
  assert.deepEqual(locks.lock('g', 'two', [queue(1), queue(2)]), [queue(2)]);
  locks.unlock('g', 'two', [queue(1)]);
  assert.deepEqual(locks.lock('g', 'two', [queue(1)]), []);
  locks.unlock('g', 'one', [queue(1)]);
  assert.deepEqual(locks.lock('g', 'two', [queue(1)]), [queue(1)]);
});

test('a lock that is not renewed for a minute goes to the next who asks', () => {
  const { locks, time } = newLocks();
  locks.lock('g', 'one', [queue(0), queue(1)]);
  time.nowMs = 40_000;
  locks.lock('g', 'one', [queue(0)]);
  time.nowMs = 60_001;
  assert.deepEqual(locks.lock('g', 'two', [queue(0), queue(1)]), [queue(1)]);
});

test('groups do not disturb each other', () => {
  const { locks } = newLocks();
  locks.lock('g', 'one', [queue(0)]);
  assert.deepEqual(locks.lock('h', 'two', [queue(0)]), [queue(0)]);
});

test('a group consumes in order while any of its locks lives, and leaves nothing behind', () => {
  const { locks, time } = newLocks();
  locks.lock('g', 'one', [queue(0)]);
  assert.equal(locks.anyLive('g'), true);
  assert.equal(locks.anyLive('h'), false);
  time.nowMs = 60_001;
  assert.equal(locks.anyLive('g'), false);
  locks.sweep();
  assert.deepEqual(locks.lock('g', 'two', [queue(0)]), [queue(0)]);
});

test('locks are given up to a limit, and what has expired makes room', () => {
  const { locks, time } = newLocks();
  const many = Array.from({ length: 50_000 }, (_, queueId) => queue(queueId));
  for (const group of ['a', 'b', 'c', 'd']) assert.equal(locks.lock(group, 'one', many).length, 50_000);
  assert.deepEqual(locks.lock('e', 'one', [queue(0)]), []);
  locks.unlock('a', 'one', [queue(7)]);
  assert.deepEqual(locks.lock('e', 'one', [queue(0), queue(1)]), [queue(0)]);
  time.nowMs = 60_001;
  locks.sweep();
  assert.equal(locks.lock('e', 'one', many).length, 50_000);
});
