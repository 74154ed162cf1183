/**
 * A whole world in one thread, from one seed: machines with disks and clocks, the network between them, and virtual
 * time. The same seed and the same program give the same events in the same order, bit for bit; `traceHash` proves it.
 *
 *   const world = new SimWorld({ seed: 7 });
 *   await world.run(async () => {
 *     const broker = await startSomething(world.node('broker').env);
 *     world.node('broker').kill();
 *     …
 *   });
 */
import { FaultPoints } from './fault-points.ts';
import { Scheduler } from './scheduler.ts';
import { SimClock } from './sim-clock.ts';
import { type DiskShape, SimDisk } from './sim-disk.ts';
import type { NetworkShape } from './sim-links.ts';
import { LogRing } from './sim-log.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { SimRandom } from './sim-random.ts';
import { Trace } from './trace.ts';

export interface WorldOptions {
  /** A safe integer, zero or more. */
  seed: number;
  network?: Partial<NetworkShape>;
  /** Wall time at the start; default 2026-01-01 UTC. */
  startWallMs?: number;
  /** Lines that `logLines` keeps; default 1000. */
  logLineCountMax?: number;
  /** Gets every log line as it comes. */
  print?: (line: string) => void;
}

export interface NodeOptions {
  disk?: Partial<DiskShape>;
  environment?: Readonly<Record<string, string>>;
  /** Default 4 GiB. */
  memoryTotalBytes?: number;
  /** Open files of one process; default 20,000. */
  descriptorCountMax?: number;
}

/** How long a run may take in virtual time, unless it says otherwise. */
const runLimitMs = 3_600_000;

export class SimWorld {
  readonly seed: number;
  readonly random: SimRandom;
  readonly network: SimNetwork;
  readonly faultPoints = new FaultPoints();
  readonly #startWallMs: number;
  readonly #trace = new Trace();
  readonly #scheduler: Scheduler;
  readonly #log: LogRing;
  readonly #nodes = new Map<string, SimNode>();

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#startWallMs = options.startWallMs ?? Date.UTC(2026, 0, 1);
    this.random = new SimRandom(options.seed, 'world');
    this.#scheduler = new Scheduler(this.random.fork('scheduler'), this.#trace);
    const nowUs = () => this.#scheduler.nowUs;
    this.#log = new LogRing(nowUs, options.logLineCountMax ?? 1000, options.print);
    this.network = new SimNetwork(this.#scheduler, this.random.fork('network'), options.network);
  }

  /** The machine of this name, made when it is first asked for; `options` count then. */
  node(name: string, options: NodeOptions = {}): SimNode {
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const address = `10.0.0.${this.#nodes.size + 1}`;
    this.network.names.set(name, address);
    const random = this.random.fork(`node ${name}`);
    const clock = new SimClock(() => this.#scheduler.nowUs, this.#startWallMs);
    const disk = new SimDisk({
      scheduler: this.#scheduler,
      random: this.random.fork(`disk ${name}`),
      name,
      wallMs: () => clock.wallMs(),
      points: this.faultPoints,
      shape: options.disk ?? {},
    });
    const node = new SimNode({
      name,
      address,
      scheduler: this.#scheduler,
      random,
      clock,
      disk,
      network: this.network,
      log: this.#log,
      memoryTotalBytes: options.memoryTotalBytes ?? 4 * 1024 ** 3,
      descriptorCountMax: options.descriptorCountMax ?? 20_000,
      environment: options.environment ?? {},
    });
    this.#nodes.set(name, node);
    return node;
  }

  get nodes(): SimNode[] {
    return [...this.#nodes.values()];
  }

  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return this.#scheduler.nowUs / 1000;
  }

  get eventCount(): number {
    return this.#trace.eventCount;
  }

  /** Of all events so far. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  /** The last log lines of all processes, oldest first. */
  get logLines(): string[] {
    return this.#log.lines();
  }

  /** `level event` → how often a process reported it. */
  get logCounts(): ReadonlyMap<string, number> {
    return this.#log.counts;
  }

  /** Lets the world go on until `body` settles; rejects also when it would wait for ever, or `limitMs` went by. */
  run<T>(body: () => Promise<T>, limitMs = runLimitMs): Promise<T> {
    return this.#scheduler.run(body, limitMs);
  }

  /** Makes `run` reject with this: a fault was found where nobody waits for a result. */
  fail(error: unknown): void {
    this.#scheduler.fail(error);
  }

  /** For the body of `run`. */
  sleep(delayMs: number): Promise<void> {
    return this.#scheduler.sleep(delayMs);
  }

  /** Waits, within the body of `run`, until `holds` says so; rejects after `limitMs`. */
  async until(holds: () => boolean, limitMs: number, what: string): Promise<void> {
    const endMs = this.nowMs + limitMs;
    while (!holds()) {
      if (this.nowMs >= endMs) throw new Error(`after ${limitMs} ms still not: ${what}`);
      await this.sleep(1);
    }
  }

  /** Nothing passes between two machines, in both directions. */
  cut(one: SimNode, other: SimNode): void {
    this.network.links.cut(one.address, other.address);
    this.network.links.cut(other.address, one.address);
  }

  /** Nothing passes from one to the other; the way back is open. */
  cutOneWay(from: SimNode, to: SimNode): void {
    this.network.links.cut(from.address, to.address);
  }

  heal(one: SimNode, other: SimNode): void {
    this.network.links.heal(one.address, other.address);
    this.network.links.heal(other.address, one.address);
  }
}
