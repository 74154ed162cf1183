/**
 * One run of a whole cluster from one seed: a cluster, clients and faults of seeded shape; then everything is mended,
 * and what clients saw and what is on disk is judged.
 */
import { Client, createTopic } from '../client/mod.ts';
import { watchRejections } from '../io/node/mod.ts';
import { Cluster, storeDirectory } from './cluster.ts';
import { History, Violation } from './history.ts';
import { type FaultKind, faultKinds, Nemesis } from './nemesis.ts';
import { Pace, type PaceShape } from './pace.ts';
import type { SimRandom } from './sim-random.ts';
import { SimWorld } from './sim-world.ts';
import { checkStore } from './store-check.ts';
import { ConsumerModel, ProducerModel, type WorkloadParts } from './workload.ts';

export interface SimulationOptions {
  seed: number;
  /** How long faults strike, in virtual time. */
  faultsMs: number;
  /** Only these faults; default a seeded choice of all. */
  faults?: readonly FaultKind[];
  /** Gets every log line as it comes. */
  print?: (line: string) => void;
}

export interface SimulationReport {
  seed: number;
  traceHash: string;
  eventCount: number;
  virtualMs: number;
  sent: number;
  acknowledged: number;
  failed: number;
  deliveries: number;
  faults: Readonly<Record<string, number>>;
}

/** A run that broke a rule; the message names the seed that shows it again. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  /** The last lines that the processes logged. */
  readonly logLines: readonly string[];
  constructor(message: string, logLines: readonly string[], cause: unknown) {
    super(message, { cause });
    this.logLines = logLines;
  }
}

const topic = 'orders';
const runLimitMs = 3_600_000;
/** From the last repair until name servers know all brokers: the period of registration, and a start. */
const registeredWithinMs = 13_000;
/** From then to the first acknowledgement of every broker. */
const progressWithinMs = 10_000;
/** From the last repair until every group has everything: group members that vanished must be noticed first. */
const deliveredWithinMs = 300_000;

interface Swarm {
  nameServerCount: number;
  brokerCount: number;
  producerCount: number;
  queueCount: number;
  pace: PaceShape;
  bodyBytes: readonly [number, number];
  kinds: readonly FaultKind[];
  lossy: boolean;
  brokerProperties: Record<string, string>;
}

/** Each run has a shape of its own, so that faults meet in ever new company (swarm testing). */
function chooseSwarm(random: SimRandom, allowed: readonly FaultKind[]): Swarm {
  const syncFlush = random.chance(0.6);
  const powerFails = syncFlush || random.chance(0.3);
  const possible = allowed.filter((kind) => powerFails || kind !== 'crash broker');
  const kinds = possible.filter(() => random.chance(0.6));
  return {
    nameServerCount: random.between([1, 2]),
    brokerCount: random.between([1, 2]),
    producerCount: random.between([1, 3]),
    queueCount: random.between([1, 4]),
    pace: random.pick<PaceShape>([
      { burstMs: [500, 3000], calmMs: [1000, 10_000], thinkMs: [1, 60] },
      { burstMs: [500, 3000], calmMs: [5000, 60_000], thinkMs: [1, 60] },
      { burstMs: [2000, 8000], calmMs: [20_000, 150_000], thinkMs: [1, 30] },
      { burstMs: [5000, 30_000], calmMs: [0, 10_000], thinkMs: [100, 1000] },
    ]),
    bodyBytes: random.pick([
      [1, 700],
      // Over several sectors and pages of the disk.
      [1, 4000],
      // All of one size: what a crash left behind the log's end begins where a new record ends.
      [400, 400],
    ]),
    kinds,
    // Asynchronous flush promises nothing about a power failure, nor about a kill before what a failed sync dropped from
    // the page cache was written again.
    lossy: !syncFlush && (kinds.includes('crash broker') || meet(kinds, 'failing sync', 'kill broker')),
    brokerProperties: {
      flushDiskType: syncFlush ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
      // So small that files are rolled all the time.
      mappedFileSizeCommitLog: String(random.pick([16, 32, 64]) * 1024),
      mappedFileSizeConsumeQueue: String(20 * random.pick([10, 50, 300])),
      maxHashSlotNum: '100',
      maxIndexNum: '400',
      messageDelayLevel: '1s 2s 3s 4s 5s',
      registerNameServerPeriod: '10000',
    },
  };
}

function meet(kinds: readonly FaultKind[], ...together: readonly FaultKind[]): boolean {
  return together.every((kind) => kinds.includes(kind));
}

/** Throws SimulationError. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, print } = options;
  const world = new SimWorld({ seed, ...(print === undefined ? {} : { print }) });
  // A rejection that nobody handles ends a process of Node; here it ends the run.
  const unwatch = watchRejections((reason) => world.fail(reason));
  try {
    return await world.run(() => runCluster(world, options), runLimitMs);
  } catch (error) {
    const where = `seed ${seed}, after ${Math.round(world.nowMs)} ms and ${world.eventCount} events`;
    throw new SimulationError(`${where}: ${error}`, world.logLines, error);
  } finally {
    unwatch();
  }
}

async function runCluster(world: SimWorld, options: SimulationOptions): Promise<SimulationReport> {
  const swarm = chooseSwarm(world.random.fork('swarm'), options.faults ?? faultKinds);
  const cluster = new Cluster(world, swarm);
  const groups = { shared: false, ordered: true };
  const history = new History(Object.keys(groups), swarm.lossy);
  const pace = new Pace(world, swarm.pace);
  const parts: WorkloadParts = {
    world,
    random: world.random,
    nameServers: cluster.nameServerAddresses,
    history,
    topic,
    brokerNames: cluster.brokers.map(({ node }) => node.name),
    queueCount: swarm.queueCount,
    pace,
    bodyBytes: swarm.bodyBytes,
  };
  const producers = Array.from(
    { length: swarm.producerCount },
    (_, index) => new ProducerModel(parts, world.node(`producer-${index}`)),
  );
  const consumers = Object.entries(groups).flatMap(([group, ordered]) =>
    [0, 1].map((index) => new ConsumerModel(parts, world.node(`consumer-${group}-${index}`), group, ordered)),
  );

  await cluster.start();
  await createTopics(world, cluster, swarm.queueCount);
  for (const producer of producers) producer.start();
  await Promise.all(consumers.map((consumer) => consumer.start()));

  const nemesis = new Nemesis(world, { cluster, producers, consumers, pace }, swarm.kinds);
  nemesis.start();
  await world.sleep(options.faultsMs);
  await nemesis.stop();
  pace.hurry();

  await checkRegistration(world, cluster);
  await checkProgress(world, cluster, producers);
  await Promise.all(producers.map((producer) => producer.stop()));
  await checkDelivery(world, history);
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await checkStores(cluster, history);
  // What a clean stop left is found again, to the byte.
  await Promise.all(cluster.brokers.map((broker) => broker.start()));
  await checkStores(cluster, history);

  return {
    seed: world.seed,
    traceHash: world.traceHash,
    eventCount: world.eventCount,
    virtualMs: world.nowMs,
    sent: history.sentCount,
    acknowledged: history.acknowledgedCount,
    failed: history.failedCount,
    deliveries: history.deliveryCount,
    faults: Object.fromEntries(nemesis.counts),
  };
}

async function createTopics(world: SimWorld, cluster: Cluster, queueCount: number): Promise<void> {
  const admin = new Client(world.node('admin').env, { nameServers: cluster.nameServerAddresses });
  for (const broker of cluster.brokers) await createTopic(admin, cluster.brokerAddress(broker), { topic, queueCount });
  await admin.close();
}

/** A name server that was started anew knows every broker after their next registration. */
async function checkRegistration(world: SimWorld, cluster: Cluster): Promise<void> {
  const complete = () =>
    cluster.nameServers.every(({ running }) => running?.stats().brokerCount === cluster.brokers.length);
  await world.until(complete, registeredWithinMs, 'every name server knows every broker');
}

/** Everything is mended: within a short while every broker acknowledges what is sent from now on. */
async function checkProgress(world: SimWorld, cluster: Cluster, producers: readonly ProducerModel[]): Promise<void> {
  const mendedMs = world.nowMs;
  const waiting = () =>
    cluster.brokers
      .filter(({ node }) => !producers.some((one) => (one.lastAcknowledged.get(node.name)?.sentMs ?? -1) >= mendedMs))
      .map(({ node, lastFailure }) => `${node.name}${lastFailure === undefined ? '' : ` (${lastFailure})`}`);
  while (waiting().length > 0) {
    if (world.nowMs > mendedMs + progressWithinMs) {
      throw new Violation(`${progressWithinMs} ms after everything was mended nothing is acknowledged by ${waiting()}`);
    }
    await world.sleep(20);
  }
}

async function checkDelivery(world: SimWorld, history: History): Promise<void> {
  const endMs = world.nowMs + deliveredWithinMs;
  for (;;) {
    const missing = history.missing();
    if (missing.length === 0) return;
    if (world.nowMs > endMs) {
      throw new Violation(`acknowledged but never delivered: ${missing.length}, first ${missing.slice(0, 5)}`);
    }
    await world.sleep(500);
  }
}

/** After a failed sync of its queues a store stays marked as open, and the next start brings them to the disk again. */
async function stopCleanly(broker: Cluster['brokers'][number]): Promise<void> {
  const isMarkedOpen = () => broker.node.disk.namesIn(storeDirectory).includes('abort');
  await broker.stop((running) => running.close());
  if (!isMarkedOpen()) return;
  await broker.start();
  await broker.stop((running) => running.close());
  if (isMarkedOpen()) throw new Violation(`${broker.node.name} does not stop cleanly, though its disk is sound again`);
}

/** Stops the brokers, and compares their files with what clients were told. */
async function checkStores(cluster: Cluster, history: History): Promise<void> {
  await Promise.all(cluster.brokers.map(stopCleanly));
  const stored = new Set<string>();
  for (const { node } of cluster.brokers) {
    const log = checkStore(node.disk, storeDirectory);
    for (const [queue, records] of log) {
      if (!queue.startsWith(`${topic}/`)) continue;
      const place = `${node.name}/${queue.slice(topic.length + 1)}`;
      for (const record of records) {
        history.stored(place, record.queueOffset, Buffer.from(record.body).toString('utf8'));
        stored.add(`${place} ${record.queueOffset}`);
      }
    }
  }
  for (const [place, id] of history.places) {
    if (!stored.has(place)) throw new Violation(`${id} was told to be at ${place}, and the log has nothing there`);
  }
}
