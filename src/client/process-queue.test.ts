import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessQueue } from './process-queue.ts';
import type { ReceivedMessage } from './received-message.ts';

function message(queueOffset: number, sizeBytes = 100): ReceivedMessage {
  return { queueOffset, sizeBytes } as ReceivedMessage;
}

test('the offset to commit is that of the first message which is not finished', () => {
  const queue = new ProcessQueue(5);
  assert.equal(queue.commitOffset, 5);
  const messages = [5, 6, 8].map((offset) => message(offset));
  queue.add(messages, 10);
  queue.finish(messages[1]);
  assert.equal(queue.commitOffset, 5);
  queue.finish(messages[0]);
  assert.equal(queue.commitOffset, 8);
  queue.finish(messages[2]);
  queue.finish(messages[2]);
  assert.equal(queue.commitOffset, 10);
  assert.ok(queue.isEmpty);
});

test('it is full by count, by size and by the span of its offsets', () => {
  const byCount = new ProcessQueue(0);
  byCount.add(
    Array.from({ length: 999 }, (_, offset) => message(offset)),
    999,
  );
  assert.ok(!byCount.isFull);
  byCount.add([message(999)], 1000);
  assert.ok(byCount.isFull);

  const bySize = new ProcessQueue(0);
  const large = message(0, 100 * 1024 * 1024);
  bySize.add([large], 1);
  assert.ok(bySize.isFull);
  bySize.finish(large);
  assert.ok(!bySize.isFull);

  const bySpan = new ProcessQueue(0);
  bySpan.add([message(0), message(2000)], 2001);
  assert.ok(!bySpan.isFull);
  bySpan.add([message(2001)], 2002);
  assert.ok(bySpan.isFull);
});

test('the first messages come in the order of the queue and stay until they are finished', () => {
  const queue = new ProcessQueue(0);
  const messages = [1, 2, 3].map((offset) => message(offset));
  queue.add(messages, 4);
  assert.deepEqual(queue.first(2), messages.slice(0, 2));
  queue.finish(messages[0]);
  assert.deepEqual(queue.first(9), messages.slice(1));
  assert.throws(() => queue.add([message(3)], 5), /order of its offsets/);
});
