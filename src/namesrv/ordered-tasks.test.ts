import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OrderedTasks } from './ordered-tasks.ts';

test('a task with nothing before it runs at once, and its result is not a promise', () => {
  assert.equal(
    new OrderedTasks().run('a', () => 5),
    5,
  );
});

test('tasks of one key run in their order though one before them takes time or fails; other keys do not wait', async () => {
  const order = new OrderedTasks();
  const done: string[] = [];
  const slow = Promise.withResolvers<void>();
  const first = order.run('a', async () => {
    await slow.promise;
    done.push('first');
    throw new Error('first failed');
  });
  const second = order.run('a', () => done.push('second'));
  order.run('b', () => done.push('other'));
  assert.equal(order.waiting, 1);
  slow.resolve();
  await assert.rejects(async () => first, /first failed/);
  await second;
  assert.deepEqual(done, ['other', 'first', 'second']);
  assert.equal(order.waiting, 0);
  assert.equal(
    order.run('a', () => 'at once'),
    'at once',
  );
});
