import assert from 'node:assert/strict';
import { contract } from './grounds.ts';

contract('clock and timers', (holds) => {
  holds('monotonic time goes on, wall time is in whole milliseconds', async ({ env: { clock }, sleep }) => {
    const fromMs = clock.monotonicMs();
    const wallFromMs = clock.wallMs();
    await sleep(20);
    assert.ok(clock.monotonicMs() - fromMs >= 19);
    assert.ok(clock.wallMs() - wallFromMs >= 18);
    assert.ok(Number.isInteger(clock.wallMs()));
  });

  holds('after runs once, not before its time', async ({ env: { clock, timers }, sleep }) => {
    const fromMs = clock.monotonicMs();
    const ranMs: number[] = [];
    timers.after(10, () => ranMs.push(clock.monotonicMs() - fromMs));
    await sleep(60);
    assert.equal(ranMs.length, 1);
    assert.ok((ranMs[0] ?? 0) >= 9, `${ranMs[0]}`);
  });

  holds('a cancelled timer does not run', async ({ env: { timers }, sleep }) => {
    let runs = 0;
    const once = timers.after(5, () => {
      runs += 1;
    });
    const often = timers.every(5, () => {
      runs += 1;
    });
    once.cancel();
    often.cancel();
    once.cancel();
    await sleep(30);
    assert.equal(runs, 0);
  });

  holds('every runs on until it is cancelled, from within too', async ({ env: { timers }, sleep }) => {
    let runs = 0;
    const timer = timers.every(5, () => {
      runs += 1;
      if (runs === 3) timer.cancel();
    });
    await sleep(100);
    assert.equal(runs, 3);
  });

  holds('a delay beyond 25 days does not run at once', async ({ env: { timers }, sleep }) => {
    let ran = false;
    const timer = timers.after(2 ** 31, () => {
      ran = true;
    });
    await sleep(10);
    timer.cancel();
    assert.equal(ran, false);
  });

  holds('soon keeps order, and runs after what follows from this turn', async ({ env: { timers }, sleep }) => {
    const order: string[] = [];
    timers.soon(() => order.push('first'));
    timers.soon(() => order.push('second'));
    Promise.resolve().then(() => order.push('promise'));
    order.push('now');
    await sleep(5);
    assert.deepEqual(order, ['now', 'promise', 'first', 'second']);
  });
});
