/** Looks at a cluster each second and notes in which states it was seen: what is up, how disks are, how far groups lag. */
import { javaHash } from '../common/mod.ts';
import type { Cluster } from './cluster.ts';
import type { History } from './history.ts';
import type { SimWorld } from './sim-world.ts';

const periodMs = 1000;

export class StateSampler {
  readonly states = new Set<number>();
  readonly #world: SimWorld;
  readonly #cluster: Cluster;
  readonly #history: History;
  #stopped = false;

  constructor(world: SimWorld, cluster: Cluster, history: History) {
    this.#world = world;
    this.#cluster = cluster;
    this.#history = history;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.states.add(javaHash(this.#state()));
      await this.#world.sleep(periodMs);
    }
  }

  #state(): string {
    const world = this.#world;
    const nodes = world.nodes.map(({ process: { alive, pausedUntilUs } }) =>
      alive ? (pausedUntilUs > world.nowMs * 1000 ? 'p' : 'u') : 'd',
    );
    const brokers = this.#cluster.brokers.map(({ running, node }) => {
      const stats = running?.stats();
      const { disk } = node;
      return [
        stats === undefined
          ? '-'
          : `${stats.producerCount}/${stats.consumerCount}/${Math.min(stats.heldPulls, 9)}/${running?.registered}`,
        disk.readOnly,
        disk.full,
        disk.slowness,
      ].join();
    });
    const lag = Math.ceil(Math.log2(1 + this.#history.awaitedCount));
    return [...nodes, ...brokers, lag, world.network.links.cutCount].join(' ');
  }
}
