/** What one run is made of. Each has a shape of its own, so that faults meet in ever new company (swarm testing). */
import type { ConsumerKind } from './consumer-models.ts';
import { damagingKinds, type FaultKind, faultKinds } from './faults.ts';
import { indexEntryCountMax, indexSlotCount } from './index-check.ts';
import type { PaceShape } from './pace.ts';
import type { NetworkShape } from './sim-links.ts';
import type { SimRandom } from './sim-random.ts';

export interface Swarm {
  nameServerCount: number;
  brokerCount: number;
  producerCount: number;
  /** Group → how it consumes, and with how many members. */
  groups: Readonly<Record<string, { kind: ConsumerKind; memberCount: number }>>;
  queueCount: number;
  pace: PaceShape;
  bodyBytes: readonly [number, number];
  network: Partial<NetworkShape>;
  kinds: readonly FaultKind[];
  /** Disks falsify what was durable. */
  damaged: boolean;
  syncFlush: boolean;
  brokerProperties: Record<string, string>;
}

/** To make a run smaller than its seed would have it. */
export interface SwarmLimits {
  /** Exactly these faults; default a seeded choice. */
  faults?: readonly FaultKind[];
  producersMax?: number;
  /** Of each group. */
  consumersMax?: number;
  brokersMax?: number;
}

export function chooseSwarm(random: SimRandom, limits: SwarmLimits): Swarm {
  const { faults, producersMax = 9, consumersMax = 9, brokersMax = 9 } = limits;
  const members = (range: readonly [number, number]) => Math.min(consumersMax, random.between(range));
  const isOneOfFew = random.chance(0.05);
  const damaged = faults?.some((kind) => damagingKinds.includes(kind)) ?? isOneOfFew;
  const density = random.pick([0.2, 0.5, 0.8]);
  const candidates = faultKinds.filter((kind) => damaged || !damagingKinds.includes(kind));
  // Every kind takes its draw, asked for or not: a run with fewer kinds keeps its shape.
  const chosen = faultKinds.filter(() => random.chance(density)).filter((kind) => candidates.includes(kind));
  const syncFlush = random.chance(0.6);
  return {
    nameServerCount: random.between([1, 3]),
    brokerCount: Math.min(brokersMax, random.pick([1, 1, 2, 2, 3])),
    producerCount: Math.min(producersMax, random.between([1, 3])),
    groups: {
      shared: { kind: 'concurrent', memberCount: members([1, 2]) },
      ordered: { kind: 'ordered', memberCount: members([1, 2]) },
      every: { kind: 'broadcast', memberCount: members([0, 1]) },
      pulling: { kind: 'pull', memberCount: members([0, 1]) },
    },
    queueCount: random.between([1, 4]),
    pace: random.pick<PaceShape>([
      { burstMs: [500, 3000], calmMs: [1000, 20_000], thinkMs: [1, 60] },
      { burstMs: [500, 3000], calmMs: [5000, 60_000], thinkMs: [1, 60] },
      { burstMs: [2000, 8000], calmMs: [20_000, 150_000], thinkMs: [1, 60] },
      { burstMs: [5000, 30_000], calmMs: [0, 10_000], thinkMs: [300, 3000] },
    ]),
    bodyBytes: random.pick([
      [1, 700],
      // Over several sectors and pages of the disk.
      [1, 4000],
      // All of one size: what a crash left behind the log's end begins where a new record ends.
      [400, 400],
    ]),
    network: {
      chopped: random.chance(0.25),
      lossRate: random.pick([0, 0.0005, 0.01]),
      latencyUs: random.pick([
        [50, 1000],
        [50, 1000],
        [1000, 50_000],
      ]),
    },
    kinds: faults ?? chosen,
    damaged,
    syncFlush,
    brokerProperties: {
      flushDiskType: syncFlush ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
      // So small that files are rolled all the time.
      mappedFileSizeCommitLog: String(random.pick([16, 32, 64]) * 1024),
      mappedFileSizeConsumeQueue: String(20 * random.pick([10, 50, 300])),
      maxHashSlotNum: String(indexSlotCount),
      maxIndexNum: String(indexEntryCountMax),
      messageDelayLevel: '1s 2s 3s 4s 5s',
      registerNameServerPeriod: '10000',
      // A full disk would otherwise cost messages that nobody has read yet.
      cleanFileForciblyEnable: 'false',
    },
  };
}
