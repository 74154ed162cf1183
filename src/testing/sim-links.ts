/** The wires between simulated machines: latency, machines that are off, and cuts in one direction or both. */
import type { Scheduler } from './scheduler.ts';
import type { SimRandom } from './sim-random.ts';

export interface NetworkShape {
  /** One way, between two machines. */
  latencyUs: readonly [number, number];
  /** Chance that a segment is lost once: it arrives `retransmitUs` later, and holds up what follows it. */
  lossRate: number;
  retransmitUs: readonly [number, number];
  /** Bytes under way or unread per direction of a connection, from and to; chosen for each connection. */
  windowBytes: readonly [number, number];
  /** Whether `onData` gets what arrived in pieces of random size, often single bytes. */
  chopped: boolean;
  /** How long TCP tries to get through a cut, or to a machine that is off, before it breaks the connection. */
  giveUpMs: number;
}

export const networkShapeByDefault: NetworkShape = {
  latencyUs: [50, 1000],
  lossRate: 0.0005,
  retransmitUs: [200_000, 400_000],
  windowBytes: [4 * 1024, 256 * 1024],
  chopped: true,
  giveUpMs: 60_000,
};

const loopbackUs = [5, 40] as const;

interface Packet {
  kind: string;
  place: string;
  number: number;
  arrive(): void;
}

export class SimLinks {
  shape: NetworkShape;
  /** What `shape` is when nobody changed it. */
  readonly normal: NetworkShape;
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  readonly #off = new Set<string>();
  /** `from>to` → packets that wait for the end of the cut. */
  readonly #cuts = new Map<string, Packet[]>();

  constructor(scheduler: Scheduler, random: SimRandom, shape: NetworkShape) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.shape = shape;
    this.normal = shape;
  }

  /** From `from` to `to` nothing arrives; the other direction is another cut. */
  cut(from: string, to: string): void {
    if (!this.isCut(from, to)) this.#cuts.set(`${from}>${to}`, []);
  }

  /** What was held back arrives after a retransmission. */
  heal(from: string, to: string): void {
    const held = this.#cuts.get(`${from}>${to}`);
    this.#cuts.delete(`${from}>${to}`);
    const delayUs = this.#random.between(this.shape.retransmitUs);
    for (const packet of held ?? []) this.#plan(from, to, packet, delayUs);
  }

  healAll(): void {
    for (const link of [...this.#cuts.keys()]) {
      const [from = '', to = ''] = link.split('>');
      this.heal(from, to);
    }
  }

  get cutCount(): number {
    return this.#cuts.size;
  }

  isCut(from: string, to: string): boolean {
    return this.#cutBetween(from, to) !== undefined;
  }

  isOff(address: string): boolean {
    return this.#off.has(address);
  }

  setOff(address: string, off: boolean): void {
    if (off) this.#off.add(address);
    else this.#off.delete(address);
  }

  /** Lets `arrive` run when the packet is there: never, when the machine is off then. */
  carry(from: string, to: string, kind: string, place: string, arrive: () => void, number = 0): void {
    const lost = this.#random.chance(this.shape.lossRate) && from !== to;
    const delayUs =
      this.#random.between(from === to ? loopbackUs : this.shape.latencyUs) +
      (lost ? this.#random.between(this.shape.retransmitUs) : 0);
    this.#plan(from, to, { kind, place, number, arrive }, delayUs);
  }

  #cutBetween(from: string, to: string): Packet[] | undefined {
    return this.#cuts.size === 0 ? undefined : this.#cuts.get(`${from}>${to}`);
  }

  #plan(from: string, to: string, packet: Packet, delayUs: number): void {
    const arrive = () => {
      if (this.#off.has(to)) return;
      const cut = this.#cutBetween(from, to);
      if (cut === undefined) packet.arrive();
      else cut.push(packet);
    };
    this.#scheduler.schedule(undefined, delayUs, packet.kind, packet.place, arrive, packet.number);
  }
}
