/**
 * When there is much to do, and when little: bursts of traffic, and calm between them in which leases run out, idle
 * things are closed and late flushes come. Calm costs the simulation next to nothing, so that hours go by in seconds.
 */
import type { SimRandom } from './sim-random.ts';
import type { SimWorld } from './sim-world.ts';

type Range = readonly [number, number];

export interface PaceShape {
  /** Duration of a burst, from and to. */
  burstMs: Range;
  /** Of the calm after it; [0, 0]: none. */
  calmMs: Range;
  /** Pause of a producer between two messages in a burst. */
  thinkMs: Range;
}

/** Even in calm a message comes now and then. */
const straggler = 0.1;
const hurriedMs = [1, 60] as const;

export class Pace {
  readonly #world: SimWorld;
  readonly #random: SimRandom;
  readonly #shape: PaceShape;
  #burstEndsMs = 0;
  #calmEndsMs = 0;
  #always = false;
  #waiting: (() => void)[] = [];

  constructor(world: SimWorld, shape: PaceShape) {
    this.#world = world;
    this.#random = world.random.fork('pace');
    this.#shape = shape;
  }

  get isBurst(): boolean {
    this.#advance();
    return this.#always || this.#world.nowMs < this.#burstEndsMs;
  }

  /** From now on there is no calm: somebody waits for traffic. */
  hurry(): void {
    this.#always = true;
    this.#wake();
  }

  /** Between two messages of a producer. */
  async pause(random: SimRandom): Promise<void> {
    const waits = !random.chance(straggler);
    if (waits && !this.isBurst) {
      await new Promise<void>((resolve) => {
        if (this.#waiting.length === 0)
          void this.#world.sleep(this.#calmEndsMs - this.#world.nowMs).then(() => this.#wake());
        this.#waiting.push(resolve);
      });
    }
    await this.#world.sleep(random.between(this.#always ? hurriedMs : this.#shape.thinkMs));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #advance(): void {
    while (this.#world.nowMs >= this.#calmEndsMs) {
      this.#burstEndsMs = this.#calmEndsMs + this.#random.between(this.#shape.burstMs);
      this.#calmEndsMs = this.#burstEndsMs + this.#random.between(this.#shape.calmMs);
    }
  }
}
