import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Timers } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { Deadline, Deadlines } from './deadlines.ts';

class Note extends Deadline {
  expiredMs: number | undefined;
  met = false;
  readonly #nowMs: () => number;

  constructor(atMs: number, nowMs: () => number) {
    super(atMs);
    this.#nowMs = nowMs;
  }

  override expire(): void {
    assert.equal(this.expiredMs, undefined, 'expires once');
    this.expiredMs = this.#nowMs();
  }
}

test('each deadline expires at its time unless it was met before, whatever is added and taken out', async () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat(1000), waitMs: fc.nat(50), meets: fc.nat() }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const world = new SimWorld({ seed: 1 });
      const { clock, timers } = world.node('one').env;
      const deadlines = new Deadlines(clock, timers);
      const notes: Note[] = [];
      await world.run(async () => {
        for (const { afterMs, waitMs, meets } of plan) {
          const note = new Note(world.nowMs + afterMs, () => world.nowMs);
          deadlines.add(note);
          notes.push(note);
          if (waitMs > 25) await world.sleep(waitMs);
          const other = meets % 2 === 0 ? notes[meets % notes.length] : undefined;
          if (other === undefined || other.expiredMs !== undefined) continue;
          deadlines.remove(other);
          other.met = true;
        }
        await world.sleep(2000);
      });
      for (const { atMs, met, expiredMs } of notes) {
        assert.equal(expiredMs === undefined, met);
        if (expiredMs !== undefined) assert.ok(expiredMs >= atMs && expiredMs < atMs + 1);
      }
    }),
    { numRuns: 50 },
  );
});

test('the earliest of the deadlines that are left comes first, whichever were taken out', () => {
  const choices = fc.array(fc.record({ atMs: fc.nat(100), removed: fc.boolean() }), { maxLength: 150, size: 'max' });
  fc.assert(
    fc.property(choices, (plan) => {
      let nowMs = 0;
      let run = () => {};
      const timers: Timers = {
        after: (_delayMs, due) => {
          run = due;
          return { cancel: () => {} };
        },
        every: () => ({ cancel: () => {} }),
        soon: () => {},
      };
      const deadlines = new Deadlines({ monotonicMs: () => nowMs, wallMs: () => nowMs }, timers);
      const expired: number[] = [];
      const notes = plan.map(({ atMs }) => new Note(atMs, () => expired.push(atMs)));
      for (const note of notes) deadlines.add(note);
      for (const [index, note] of notes.entries()) if (plan[index]?.removed) deadlines.remove(note);
      nowMs = 100;
      run();
      const left = plan.filter(({ removed }) => !removed).map(({ atMs }) => atMs);
      assert.deepEqual(
        expired,
        left.sort((a, b) => a - b),
      );
    }),
    { numRuns: 1000 },
  );
});
