/** Lets things fail, one after the other or several at once, and mends each after a while. */
import { type FaultKind, strike, type Targets } from './faults.ts';
import type { Pace } from './pace.ts';
import type { SimRandom } from './sim-random.ts';

export interface NemesisPlan {
  kinds: readonly FaultKind[];
  /** Only these, counted from 0; without it all. */
  strikes?: ReadonlySet<number>;
}

/** Between two faults: most strike where there is traffic. */
const pauseInBurstMs = [100, 2000] as const;
const pauseInCalmMs = [500, 20_000] as const;
const faultLastsMs = [50, 6000] as const;

export class Nemesis {
  readonly #targets: Omit<Targets, 'random'>;
  readonly #random: SimRandom;
  readonly #pace: Pace;
  readonly #plan: NemesisPlan;
  /** Strikes that met something. */
  readonly counts = new Map<FaultKind, number>();
  #strikes = 0;
  #stopping = false;
  #done: Promise<void> | undefined;
  /** Repairs that are still to come. */
  readonly #repairs = new Set<() => void>();

  constructor(targets: Omit<Targets, 'random'>, pace: Pace, plan: NemesisPlan) {
    this.#targets = targets;
    this.#random = targets.world.random.fork('nemesis');
    this.#pace = pace;
    this.#plan = plan;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** So many were planned, whether or not they struck and met something. */
  get strikes(): number {
    return this.#strikes;
  }

  /** No new faults; everything is mended, and every process is up or on its way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    const { world } = this.#targets;
    for (const repair of [...this.#repairs]) repair();
    world.network.links.healAll();
    for (const node of world.nodes) {
      node.disk.heal();
      node.pause(0);
    }
  }

  async #run(): Promise<void> {
    const { world } = this.#targets;
    const { kinds, strikes } = this.#plan;
    const [first, ...others] = kinds;
    if (first === undefined) return;
    while (!this.#stopping) {
      await world.sleep(this.#random.between(this.#pace.isBurst ? pauseInBurstMs : pauseInCalmMs));
      if (this.#stopping) return;
      // Each has its own chance: one that is left out changes nothing about the next.
      const random = world.random.fork(`strike ${this.#strikes}`);
      const kind = random.pick([first, ...others]);
      if (strikes === undefined || strikes.has(this.#strikes)) this.#strike(kind, random);
      this.#strikes += 1;
    }
  }

  #strike(kind: FaultKind, random: SimRandom): void {
    let hasFired = false;
    const repair = strike(kind, { ...this.#targets, random }, () => {
      if (hasFired) return;
      hasFired = true;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    });
    this.#repairs.add(repair);
    void this.#targets.world.sleep(random.between(faultLastsMs)).then(() => {
      if (this.#repairs.delete(repair)) repair();
    });
  }
}
