import { assert } from '../common/mod.ts';
import type { Timers } from '../io/mod.ts';
import { type Event, type Owner, type Scheduler, tieLast } from './scheduler.ts';
import type { SimClock } from './sim-clock.ts';

export function createSimTimers(scheduler: Scheduler, owner: Owner, clock: SimClock): Timers {
  return {
    after(delayMs, run) {
      assert(delayMs >= 0, `a timer cannot run ${delayMs} ms from now`);
      return scheduler.schedule(owner, clock.worldUsOf(delayMs), 'timer', '', run);
    },
    every(periodMs, run) {
      assert(periodMs > 0, `a timer cannot run every ${periodMs} ms`);
      let next: Event;
      const plan = () => {
        next = scheduler.schedule(owner, clock.worldUsOf(periodMs), 'timer', '', () => {
          plan();
          run();
        });
      };
      plan();
      return { cancel: () => next.cancel() };
    },
    soon(run) {
      scheduler.schedule(owner, 0, 'soon', '', run, 0, tieLast);
    },
  };
}
