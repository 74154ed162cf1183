/** Every kind of fault, as a table: how it strikes, and how it is mended. */
import { type Cluster, storeDirectory } from './cluster.ts';
import type { ConsumerModel } from './consumer-models.ts';
import type { Service } from './service.ts';
import type { DiskOperation, DiskTarget } from './sim-disk.ts';
import type { SimNode } from './sim-node.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimWorld } from './sim-world.ts';
import type { ProducerModel } from './workload.ts';

export interface Targets {
  world: SimWorld;
  random: SimRandom;
  cluster: Cluster;
  producers: readonly ProducerModel[];
  consumers: readonly ConsumerModel[];
}

/** `fired` is called when the fault meets something, once or more; the result mends it. */
type Strike = (targets: Targets, fired: () => void) => () => void;

type Choices<T> = readonly [T, ...T[]];
type Down = 'kill' | 'crash';

/** In whose middle a process is ended: where more is at stake, more often. */
const perilousCalls: Choices<DiskOperation> = [
  'write',
  'write',
  'write',
  'sync',
  'sync',
  'sync',
  'read',
  'open',
  'close',
  'truncate',
  'rename',
  'remove',
  'list',
  'make directory',
  'sync directory',
];
/** That may fail at any time. */
const fragileCalls: Choices<DiskOperation> = [
  'open',
  'read',
  'write',
  'sync',
  'truncate',
  'size',
  'make directory',
  'list',
  'stat',
  'rename',
  'remove',
  'sync directory',
  'space',
];
const places: Choices<string> = ['', 'commitlog', 'consumequeue', 'index', 'config', 'checkpoint'];
const hourMs = 3_600_000;
const jumpsMs: Choices<number> = [hourMs, -hourMs, 30 * 24 * hourMs, 24 * 365 * 24 * hourMs, 100, -100];
const driftPpm = 50_000;
const stallMs = [1000, 30_000] as const;
const pauseMs = [50, 6000] as const;
const always = Number.MAX_SAFE_INTEGER;

const strikes = {
  'kill broker': (targets, fired) => takeDown(targets, brokerOf(targets), 'kill', fired),
  'crash broker': (targets, fired) => takeDown(targets, brokerOf(targets), 'crash', fired),
  'stop broker': (targets, fired) => {
    const broker = brokerOf(targets);
    const stopped = broker.stop((running) => running.close());
    fired();
    return () => void stopped.then(() => broker.start());
  },
  'kill name server': (targets, fired) => {
    const nameServer = one(targets, targets.cluster.nameServers);
    nameServer[targets.random.pick<Down>(['kill', 'crash'])]();
    fired();
    return () => void nameServer.start();
  },
  'kill consumer': (targets, fired) => {
    const consumer = one(targets, targets.consumers);
    consumer.kill();
    fired();
    return () => void consumer.start();
  },
  'kill producer': (targets, fired) => {
    one(targets, targets.producers).node.kill();
    fired();
    return () => {};
  },
  cut: (targets, fired) => {
    const [from, to] = pairOf(targets);
    targets.world.cut(from, to);
    fired();
    return () => targets.world.heal(from, to);
  },
  'cut one way': (targets, fired) => {
    const [from, to] = pairOf(targets);
    targets.world.cutOneWay(from, to);
    fired();
    return () => targets.world.heal(from, to);
  },
  pause: (targets, fired) => {
    const node = one(targets, targets.world.nodes);
    node.pause(targets.random.between(pauseMs));
    fired();
    return () => node.pause(0);
  },
  'slow disk': (targets, fired) => {
    const { disk } = brokerOf(targets).node;
    disk.slowness = targets.random.pick([10, 100, 1000]);
    fired();
    return () => {
      disk.slowness = 1;
    };
  },
  'failing write': (targets, met) => failing(targets, { operation: 'write', skip: targets.random.below(50), met }),
  'failing sync': (targets, met) => failing(targets, { operation: 'sync', skip: targets.random.below(20), met }),
  'failing read': (targets, met) =>
    failing(targets, { operation: 'read', skip: targets.random.below(10), times: 3, met }),
  'full disk': (targets, met) => fill(targets, met),
  'read-only disk': (targets, fired) => {
    const { disk } = brokerOf(targets).node;
    disk.readOnly = true;
    fired();
    return () => {
      disk.readOnly = false;
    };
  },
  'clock jump': (targets, fired) => {
    const { clock } = one(targets, targets.world.nodes);
    const ms = targets.random.pick(jumpsMs);
    clock.jump(ms);
    fired();
    return () => clock.jump(-ms);
  },
  'clock drift': (targets, fired) => {
    const { clock } = one(targets, targets.world.nodes);
    clock.drift(targets.random.pick([driftPpm, -driftPpm]));
    fired();
    return () => clock.drift(0);
  },
  'kill everything': (targets, fired) => takeAllDown(targets, 'kill', fired),
  'power failure': (targets, fired) => takeAllDown(targets, 'crash', fired),
  partition: (targets, fired) => partition(targets, fired, false),
  'partition one way': (targets, fired) => partition(targets, fired, true),
  'bad network': (targets, fired) => {
    const { links } = targets.world.network;
    links.shape = {
      ...links.normal,
      ...targets.random.pick([{ lossRate: 0.2 }, { latencyUs: [100_000, 1_500_000] as const }]),
    };
    fired();
    return () => {
      links.shape = links.normal;
    };
  },
  'reset connections': (targets, fired) => {
    targets.world.network.resetConnections(one(targets, targets.world.nodes).address);
    fired();
    return () => {};
  },
  'failing call': (targets, met) =>
    failing(targets, {
      operation: targets.random.pick(fragileCalls),
      path: targets.random.pick(places),
      skip: targets.random.below(5),
      times: targets.random.pick([1, 1, 3, always]),
      met,
    }),
  'stuck disk': (targets, fired) => {
    const { disk } = brokerOf(targets).node;
    fired();
    return disk.stall(targets.random.pick(places), targets.random.between(stallMs));
  },
  'bit rot': (targets, fired) => {
    const { disk } = brokerOf(targets).node;
    const place = targets.random.pick(places);
    if (disk.rot(`${storeDirectory}/${place}`)) fired();
    return () => {};
  },
  'misdirected write': ({ random, cluster }, met) =>
    random
      .pick(asChoices(cluster.brokers))
      .node.disk.inject({ lie: 'misdirected write', path: random.pick(places), skip: random.below(10), met }),
  'stale read': ({ random, cluster }, met) =>
    random
      .pick(asChoices(cluster.brokers))
      .node.disk.inject({ lie: 'stale read', path: random.pick(places), skip: random.below(2), times: 3, met }),
} satisfies Record<string, Strike>;

export type FaultKind = keyof typeof strikes;

export const faultKinds = Object.keys(strikes) as FaultKind[];

/** They spoil what was durable: on a single disk no promise about those messages is left, but that none is falsified. */
export const damagingKinds: readonly FaultKind[] = ['bit rot', 'misdirected write', 'stale read'];

export function strike(kind: FaultKind, targets: Targets, fired: () => void): () => void {
  return strikes[kind](targets, fired);
}

function failing(targets: Targets, target: DiskTarget): () => void {
  return brokerOf(targets).node.disk.inject({ ...target, code: 'EIO' });
}

/** The disk says that it is full, or only refuses; for all writes, or for those that need new space. */
function fill({ random, cluster }: Targets, met: () => void): () => void {
  const { disk } = random.pick(asChoices(cluster.brokers)).node;
  const way = random.below(3);
  if (way === 0) return disk.inject({ operation: 'write', code: 'ENOSPC', times: always, met });
  met();
  if (way === 1) disk.full = true;
  else disk.capacityBytes = disk.usedBytes;
  return () => {
    disk.full = false;
    disk.capacityBytes = disk.installedBytes;
  };
}

/** Now, or in the middle of one of the next calls to its disk; perhaps again while it starts, and again. */
function takeDown({ random }: Targets, service: Service<unknown>, how: Down, fired: () => void): () => void {
  const { disk } = service.node;
  const down = () => {
    service[how]();
    fired();
  };
  const arm = (act: () => void) =>
    disk.trigger(random.pick(perilousCalls), random.below(30), (point) => {
      disk.points.strike(how, point);
      act();
    });
  const again = () => {
    down();
    if (random.chance(0.3)) arm(again);
    void service.start();
  };
  let disarm = () => {};
  if (random.chance(0.7)) disarm = arm(down);
  else down();
  return () => {
    disarm();
    if (service.running !== undefined) return;
    if (random.chance(0.3)) arm(again);
    void service.start();
  };
}

function takeAllDown({ cluster }: Targets, how: Down, fired: () => void): () => void {
  for (const service of cluster.services) service[how]();
  fired();
  return () => {
    for (const service of cluster.services) void service.start();
  };
}

/** Two halves of the world: nothing passes between them, or nothing passes from one to the other. */
function partition({ world, random }: Targets, fired: () => void, oneWay: boolean): () => void {
  const side = new Map(world.nodes.map((node) => [node, random.chance(0.5)]));
  const cuts = world.nodes.flatMap((from) =>
    world.nodes
      .filter((to) => side.get(from) === true && side.get(to) === false)
      .map((to): [SimNode, SimNode] => [from, to]),
  );
  for (const [from, to] of cuts) {
    if (oneWay) world.cutOneWay(from, to);
    else world.cut(from, to);
  }
  fired();
  return () => {
    for (const [from, to] of cuts) world.heal(from, to);
  };
}

function brokerOf(targets: Targets): Cluster['brokers'][number] {
  return one(targets, targets.cluster.brokers);
}

function pairOf(targets: Targets): [SimNode, SimNode] {
  const broker = brokerOf(targets).node;
  const other = one(
    targets,
    targets.world.nodes.filter((node) => node !== broker),
  );
  return targets.random.chance(0.5) ? [broker, other] : [other, broker];
}

function one<T>({ random }: Targets, choices: readonly T[]): T {
  return random.pick(asChoices(choices));
}

function asChoices<T>(choices: readonly T[]): Choices<T> {
  const [first, ...others] = choices;
  if (first === undefined) throw new Error('a fault needs a target');
  return [first, ...others];
}
