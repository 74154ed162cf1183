/** Lets things fail, one after the other or several at once, and mends each after a while. */
import type { Cluster } from './cluster.ts';
import type { Pace } from './pace.ts';
import type { DiskOperation } from './sim-disk.ts';
import type { SimNode } from './sim-node.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimWorld } from './sim-world.ts';
import type { ConsumerModel, ProducerModel } from './workload.ts';

export const faultKinds = [
  'kill broker',
  'crash broker',
  'stop broker',
  'kill name server',
  'kill consumer',
  'kill producer',
  'cut',
  'cut one way',
  'pause',
  'slow disk',
  'failing write',
  'failing sync',
  'failing read',
  'full disk',
  'read-only disk',
  'clock jump',
  'clock drift',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface Targets {
  cluster: Cluster;
  producers: readonly ProducerModel[];
  consumers: readonly ConsumerModel[];
  pace: Pace;
}

/** Between two faults: most strike where there is traffic. */
const pauseInBurstMs = [100, 2000] as const;
const pauseInCalmMs = [500, 20_000] as const;
const faultLastsMs = [50, 6000] as const;
const perilousCalls: readonly [DiskOperation, ...DiskOperation[]] = [
  'write',
  'write',
  'sync',
  'sync',
  'read',
  'truncate',
  'rename',
  'sync directory',
];
const jumpMs = 3_600_000;
const driftPpm = 50_000;

export class Nemesis {
  readonly #world: SimWorld;
  readonly #random: SimRandom;
  readonly #targets: Targets;
  readonly #kinds: readonly FaultKind[];
  readonly counts = new Map<FaultKind, number>();
  #stopping = false;
  #done: Promise<void> | undefined;
  /** Repairs that are still to come. */
  readonly #repairs = new Set<() => void>();

  constructor(world: SimWorld, targets: Targets, kinds: readonly FaultKind[]) {
    this.#world = world;
    this.#random = world.random.fork('nemesis');
    this.#targets = targets;
    this.#kinds = kinds;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** No new faults; everything is mended, and every process is up or on its way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    for (const repair of [...this.#repairs]) repair();
    this.#world.network.links.healAll();
    for (const node of this.#world.nodes) {
      node.disk.heal();
      node.pause(0);
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping && this.#kinds.length > 0) {
      await this.#world.sleep(this.#random.between(this.#targets.pace.isBurst ? pauseInBurstMs : pauseInCalmMs));
      if (this.#stopping) return;
      const kind = this.#one(this.#kinds);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      const repair = this.#strike(kind);
      this.#repairs.add(repair);
      this.#world.sleep(this.#random.between(faultLastsMs)).then(() => {
        if (this.#repairs.delete(repair)) repair();
      });
    }
  }

  /** The result mends it. */
  #strike(kind: FaultKind): () => void {
    const { cluster, producers, consumers } = this.#targets;
    const broker = this.#one(cluster.brokers);
    const { disk } = broker.node;
    switch (kind) {
      case 'kill broker':
        return this.#takeDown(broker, () => broker.kill());
      case 'crash broker':
        return this.#takeDown(broker, () => broker.crash());
      case 'stop broker': {
        const stopped = broker.stop((running) => running.close());
        return () => void stopped.then(() => broker.start());
      }
      case 'kill name server': {
        const nameServer = this.#one(cluster.nameServers);
        nameServer.kill();
        return () => void nameServer.start();
      }
      case 'kill consumer': {
        const consumer = this.#one(consumers);
        consumer.kill();
        return () => void consumer.start();
      }
      case 'kill producer':
        this.#one(producers).node.kill();
        return () => {};
      case 'cut': {
        const [one, other] = this.#pair();
        this.#world.cut(one, other);
        return () => this.#world.heal(one, other);
      }
      case 'cut one way': {
        const [one, other] = this.#pair();
        this.#world.cutOneWay(one, other);
        return () => this.#world.heal(one, other);
      }
      case 'pause': {
        const node = this.#one(this.#world.nodes);
        node.pause(this.#random.between(faultLastsMs));
        return () => node.pause(0);
      }
      case 'slow disk':
        disk.slowness = this.#random.pick([10, 100, 1000]);
        return () => {
          disk.slowness = 1;
        };
      case 'failing write':
        return disk.inject({ operation: 'write', code: 'EIO', skip: this.#random.below(50), times: 1 });
      case 'failing sync':
        return disk.inject({ operation: 'sync', code: 'EIO', skip: this.#random.below(20), times: 1 });
      case 'failing read':
        return disk.inject({ operation: 'read', code: 'EIO', skip: this.#random.below(10), times: 3 });
      case 'full disk':
        return disk.inject({ operation: 'write', code: 'ENOSPC', times: Number.MAX_SAFE_INTEGER });
      case 'read-only disk':
        disk.readOnly = true;
        return () => {
          disk.readOnly = false;
        };
      case 'clock jump': {
        const ms = this.#random.pick([jumpMs, -jumpMs]);
        broker.node.clock.jump(ms);
        return () => broker.node.clock.jump(-ms);
      }
      case 'clock drift': {
        const { clock } = this.#one(this.#world.nodes);
        clock.drift(this.#random.pick([driftPpm, -driftPpm]));
        return () => clock.drift(0);
      }
    }
  }

  /** Now, or in the middle of one of the next calls to its disk, where more is at stake; perhaps while it starts again. */
  #takeDown(broker: Cluster['brokers'][number], down: () => void): () => void {
    const { disk } = broker.node;
    const arm = (act: () => void) => disk.trigger(this.#random.pick(perilousCalls), this.#random.below(30), act);
    const again = () => {
      down();
      void broker.start();
    };
    let disarm = () => {};
    if (this.#random.chance(0.7)) disarm = arm(down);
    else down();
    return () => {
      disarm();
      if (broker.running !== undefined) return;
      if (this.#random.chance(0.3)) arm(again);
      void broker.start();
    };
  }

  #one<T>(choices: readonly T[]): T {
    const [first, ...others] = choices;
    if (first === undefined) throw new Error('a fault needs a target');
    return this.#random.pick([first, ...others]);
  }

  #pair(): [SimNode, SimNode] {
    const broker = this.#one(this.#targets.cluster.brokers).node;
    const other = this.#one(this.#world.nodes.filter((node) => node !== broker));
    return this.#random.chance(0.5) ? [broker, other] : [other, broker];
  }
}
