/** Lets things fail, one after the other or several at once, and mends each after a while. */
import { type FaultKind, strike, type Targets } from './faults.ts';
import type { Pace } from './pace.ts';

export interface NemesisPlan {
  kinds: readonly FaultKind[];
  /** No more than so many strikes. */
  strikesMax: number;
}

/** Between two faults: most strike where there is traffic. */
const pauseInBurstMs = [100, 2000] as const;
const pauseInCalmMs = [500, 20_000] as const;
const faultLastsMs = [50, 6000] as const;

export class Nemesis {
  readonly #targets: Targets;
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
    this.#targets = { ...targets, random: targets.world.random.fork('nemesis') };
    this.#pace = pace;
    this.#plan = plan;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** So many faults that were chosen to strike, whether or not they met anything. */
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
    const { world, random } = this.#targets;
    const [first, ...others] = this.#plan.kinds;
    if (first === undefined) return;
    while (!this.#stopping && this.#strikes < this.#plan.strikesMax) {
      await world.sleep(random.between(this.#pace.isBurst ? pauseInBurstMs : pauseInCalmMs));
      if (this.#stopping) return;
      this.#strike(random.pick([first, ...others]));
    }
  }

  #strike(kind: FaultKind): void {
    const { world, random } = this.#targets;
    this.#strikes += 1;
    let hasFired = false;
    const repair = strike(kind, this.#targets, () => {
      if (hasFired) return;
      hasFired = true;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    });
    this.#repairs.add(repair);
    void world.sleep(random.between(faultLastsMs)).then(() => {
      if (this.#repairs.delete(repair)) repair();
    });
  }
}
