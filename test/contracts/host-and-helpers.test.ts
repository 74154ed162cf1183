import assert from 'node:assert/strict';
import { contract } from './grounds.ts';
import { fail, sum } from './tasks.ts';

contract('the random port', (holds) => {
  holds('below stays below, and gets everywhere', async ({ env: { random } }) => {
    const seen = new Set<number>();
    for (let draw = 0; draw < 500; draw++) seen.add(random.below(7));
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6]);
    assert.equal(random.below(1), 0);
    const wide = Array.from({ length: 100 }, () => random.below(2 ** 32));
    assert.ok(wide.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32));
    assert.ok(wide.some((number) => number >= 2 ** 31));
  });

  holds('a float lies in [0, 1), and bytes are as many as asked', async ({ env: { random } }) => {
    for (let draw = 0; draw < 500; draw++) {
      const number = random.float();
      assert.ok(number >= 0 && number < 1);
    }
    assert.equal(random.bytes(33).length, 33);
    assert.notDeepEqual(random.bytes(16), random.bytes(16));
  });
});

contract('the workers', (holds) => {
  holds('a task gives what it computes from a copy', async ({ env: { workers } }) => {
    const input = [1, 2, 3];
    const result = workers.run(sum, input);
    input.push(100);
    assert.deepEqual(await result, { total: 6 });
  });

  holds('a task that throws rejects with that error', async ({ env: { workers } }) => {
    await assert.rejects(workers.run(fail, 'so it is'), { name: 'RangeError', message: 'so it is' });
    assert.deepEqual(await workers.run(sum, [4]), { total: 4 });
  });

  holds('at most a thousand tasks wait', async ({ env: { workers } }) => {
    const results = Array.from({ length: 1001 }, () => workers.run(sum, [1]));
    await assert.rejects(results.pop() ?? Promise.resolve(), /workers busy/);
    assert.equal((await Promise.all(results)).length, 1000);
  });

  holds('after close nothing runs', async ({ env: { workers } }) => {
    const waiting = workers.run(sum, [1]);
    await Promise.all([workers.close(), assert.rejects(waiting, /workers closed/)]);
    await assert.rejects(workers.run(sum, [1]), /workers closed/);
  });
});

contract('the host', (holds) => {
  holds('it tells the facts of machine and process', async ({ env: { host, clock } }) => {
    assert.ok(host.pid > 0);
    assert.ok(host.hostname.length > 0);
    assert.ok(host.memoryTotalBytes > 2 ** 20);
    assert.ok(host.memory().heapBytes > 0);
    assert.ok(host.cpuSeconds() >= 0);
    assert.equal(host.environment('LIFTMQ_NO_SUCH_THING'), undefined);
    assert.ok(host.interfaces().some(({ address, internal }) => address === '127.0.0.1' && internal));
    assert.ok(Math.abs(host.utcOffsetMinutes(clock.wallMs())) <= 14 * 60);
  });

  holds('it counts open files where the system tells', async ({ env: { host, disk }, directory }) => {
    const before = host.fileDescriptors();
    if (before === undefined) return;
    const file = await disk.open(`${directory}/f`, 'create');
    assert.equal(host.fileDescriptors()?.open, before.open + 1);
    assert.ok(before.limit > before.open);
    await file.close();
  });
});
