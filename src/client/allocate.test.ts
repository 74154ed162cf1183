import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocate } from './allocate.ts';

const queues = (count: number) =>
  Array.from({ length: count }, (_, queueId) => ({ topic: 'T', brokerName: 'b', queueId }));
const ids = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`);

function shares(allocation: 'averagely' | 'by circle', queueCount: number, clientCount: number): string[] {
  return ids(clientCount).map((id) =>
    allocate(allocation, queues(queueCount), ids(clientCount), id)
      .map(({ queueId }) => queueId)
      .join(),
  );
}

test('averagely gives neighbours, and the rest to the first ones', () => {
  assert.deepEqual(shares('averagely', 8, 3), ['0,1,2', '3,4,5', '6,7']);
  assert.deepEqual(shares('averagely', 2, 3), ['0', '1', '']);
  assert.deepEqual(shares('averagely', 4, 1), ['0,1,2,3']);
});

test('by circle deals in turn', () => {
  assert.deepEqual(shares('by circle', 8, 3), ['0,3,6', '1,4,7', '2,5']);
  assert.deepEqual(shares('by circle', 1, 2), ['0', '']);
});

test('a client that the group does not know gets nothing', () => {
  assert.deepEqual(allocate('averagely', queues(4), ['a', 'b'], 'c'), []);
});

/** The rule as RocketMQ states it (remoting.md 4). */
function averagelyAsStated(m: number, n: number, i: number): number[] {
  const mod = m % n;
  const size = m <= n ? 1 : mod > 0 && i < mod ? Math.floor(m / n) + 1 : Math.floor(m / n);
  const start = mod > 0 && i < mod ? i * size : i * size + mod;
  return Array.from({ length: Math.max(0, Math.min(size, m - start)) }, (_, at) => start + at);
}

test('averagely is what RocketMQ states, whatever the order of the lists', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.integer({ min: 1, max: 12 }), (queueCount, clientCount) => {
      const clientIds = ids(clientCount).sort();
      for (const [index, id] of clientIds.entries()) {
        const mine = allocate('averagely', queues(queueCount).reverse(), [...clientIds].reverse(), id);
        assert.deepEqual(
          mine.map(({ queueId }) => queueId),
          averagelyAsStated(queueCount, clientCount, index),
        );
      }
    }),
  );
});

test('every queue falls to exactly one consumer', () => {
  const allocation = fc.constantFrom('averagely' as const, 'by circle' as const);
  fc.assert(
    fc.property(allocation, fc.nat(40), fc.integer({ min: 1, max: 12 }), (rule, queueCount, clientCount) => {
      const taken = shares(rule, queueCount, clientCount).flatMap((share) => (share === '' ? [] : share.split(',')));
      assert.deepEqual(
        taken.map(Number).sort((a, b) => a - b),
        queues(queueCount).map(({ queueId }) => queueId),
      );
    }),
  );
});
