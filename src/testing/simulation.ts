/**
 * One run of a whole cluster from one seed: a cluster, clients and faults of seeded shape; then everything is mended,
 * and what clients saw and what is on disk is judged. Much is judged while it runs: by `History` with each answer and
 * delivery, and by what a broker's disk holds between two of its processes.
 */
import { Client, createTopic } from '../client/mod.ts';
import { watchRejections } from '../io/node/mod.ts';
import { AdminModel, addedQueueCountMax, passingTopic } from './admin-model.ts';
import { Cluster, storeDirectory } from './cluster.ts';
import { ConsumerModel } from './consumer-models.ts';
import { checkCommitted, checkStateFiles } from './crash-check.ts';
import type { FaultKind } from './faults.ts';
import { History, Violation } from './history.ts';
import { Nemesis } from './nemesis.ts';
import { Pace } from './pace.ts';
import { SimRandom } from './sim-random.ts';
import { SimWorld } from './sim-world.ts';
import { StateSampler } from './state-sampler.ts';
import { checkStore, survivingEnds } from './store-check.ts';
import { chooseSwarm, type Swarm, type SwarmLimits } from './swarm.ts';
import { ProducerModel, type WorkloadParts } from './workload.ts';

export interface SimulationOptions extends SwarmLimits {
  seed: number;
  /** How long faults strike, in virtual time. */
  faultsMs: number;
  /** Which of the faults strike, counted from 0; default all. */
  strikes?: readonly number[];
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
  /** Acknowledged by a broker with asynchronous flush, and lost when its power failed. */
  lost: number;
  /** Processes of servers that ended otherwise than by a clean stop. */
  crashes: number;
  /** Faults that met something, by kind. */
  faults: Readonly<Record<string, number>>;
  /** Fault → point in the program → how often it struck there. */
  struck: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Point → how often it was passed. */
  passed: Readonly<Record<string, number>>;
  /** Event of the log → how often it was reported. */
  events: Readonly<Record<string, number>>;
  /** Hashes of the states that the cluster was seen in. */
  states: readonly number[];
}

/** A run that broke a rule; the message names the seed that shows it again. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  /** The last lines that the processes logged. */
  readonly logLines: readonly string[];
  /** Of the run that failed: how many faults had struck, of which kinds, and when it ended. */
  readonly run: { strikes: number; kinds: readonly FaultKind[]; virtualMs: number };
  constructor(message: string, logLines: readonly string[], run: SimulationError['run'], cause: unknown) {
    super(message, { cause });
    this.logLines = logLines;
    this.run = run;
  }
}

const topic = 'orders';
/** On top of the time for faults. */
const runLimitMs = 3_600_000;
/** From the last repair until name servers know all brokers: the period of registration, and a start. */
const registeredWithinMs = 13_000;
/** From then to the first acknowledgement of every broker. */
const progressWithinMs = 10_000;
/** From the last repair until every group has everything: group members that vanished must be noticed first. */
const deliveredWithinMs = 300_000;
/** What asynchronous flush may lose when the power fails and the disk is sound: its period, and a sync. */
const flushWindowMs = 1000;
/** From the last repair until a broker on a damaged disk serves, or says why it does not. */
const decidedWithinMs = 60_000;
/** With these a sync may take any time, or fail. */
const delayingKinds: readonly FaultKind[] = [
  'slow disk',
  'stuck disk',
  'failing write',
  'failing sync',
  'failing call',
  'full disk',
  'read-only disk',
  'pause',
];

/** Throws SimulationError. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, faultsMs, print } = options;
  const swarm = chooseSwarm(new SimRandom(seed, 'swarm'), options);
  const world = new SimWorld({ seed, network: swarm.network, ...(print === undefined ? {} : { print }) });
  const run = new Run(world, swarm, options);
  // A rejection that nobody handles ends a process of Node; here it ends the run.
  const unwatch = watchRejections((reason) => world.fail(reason));
  try {
    await world.run(() => run.play(), runLimitMs + faultsMs);
    return run.report();
  } catch (error) {
    const where = `seed ${seed}, after ${Math.round(world.nowMs)} ms and ${world.eventCount} events`;
    const facts = { strikes: run.nemesis.strikes, kinds: swarm.kinds, virtualMs: world.nowMs };
    throw new SimulationError(`${where}: ${error}`, world.logLines, facts, error);
  } finally {
    unwatch();
  }
}

class Run {
  readonly nemesis: Nemesis;
  readonly #world: SimWorld;
  readonly #swarm: Swarm;
  readonly #faultsMs: number;
  readonly #cluster: Cluster;
  readonly #history: History;
  readonly #pace: Pace;
  readonly #producers: readonly ProducerModel[];
  readonly #consumers: readonly ConsumerModel[];
  readonly #admin: AdminModel;
  readonly #sampler: StateSampler;
  /** Nothing is judged between two processes any more: the brokers are stopped and started to look at their files. */
  #isOver = false;

  constructor(world: SimWorld, swarm: Swarm, { faultsMs, strikes }: SimulationOptions) {
    this.#world = world;
    this.#swarm = swarm;
    this.#faultsMs = faultsMs;
    this.#cluster = new Cluster(world, swarm);
    const members = Object.entries(swarm.groups).flatMap(([group, { kind, memberCount }]) =>
      // Each member of a broadcast group gets everything: in the history it is a group of its own.
      Array.from({ length: memberCount }, (_, index) => ({ group, kind, node: `consumer-${group}-${index}` })),
    );
    this.#history = new History([...new Set(members.map(({ group }) => group))], swarm.damaged);
    this.#pace = new Pace(world, swarm.pace);
    const parts: WorkloadParts = {
      world,
      random: world.random,
      nameServers: this.#cluster.nameServerAddresses,
      history: this.#history,
      topic,
      brokerNames: this.#cluster.brokers.map(({ node }) => node.name),
      queueCount: swarm.queueCount,
      pace: this.#pace,
      bodyBytes: swarm.bodyBytes,
    };
    this.#producers = Array.from(
      { length: swarm.producerCount },
      (_, index) => new ProducerModel(parts, world.node(`producer-${index}`)),
    );
    this.#consumers = members.map(({ group, kind, node }) => new ConsumerModel(parts, world.node(node), group, kind));
    this.#admin = new AdminModel(parts, world.node('admin'), this.#cluster, ['shared', 'ordered']);
    const targets = { world, cluster: this.#cluster, producers: this.#producers, consumers: this.#consumers };
    this.nemesis = new Nemesis(targets, this.#pace, {
      kinds: swarm.kinds,
      ...(strikes === undefined ? {} : { strikes: new Set(strikes) }),
    });
    this.#sampler = new StateSampler(world, this.#cluster, this.#history);
    for (const broker of this.#cluster.brokers) {
      broker.onDown = (how, atMs) => this.#judgeBetween(broker, atMs, this.#safeUntilMs(how, atMs));
    }
  }

  async play(): Promise<void> {
    await this.#cluster.start();
    await this.#createTopics();
    for (const producer of this.#producers) producer.start();
    await Promise.all(this.#consumers.map((consumer) => consumer.start()));
    this.#admin.start();
    this.#sampler.start();

    this.nemesis.start();
    await this.#world.sleep(this.#faultsMs);
    await this.nemesis.stop();
    this.#pace.hurry();

    await (this.#swarm.damaged ? this.#endDamaged() : this.#endSound());
  }

  report(): SimulationReport {
    const world = this.#world;
    const history = this.#history;
    const { struck, passed } = world.faultPoints;
    return {
      seed: world.seed,
      traceHash: world.traceHash,
      eventCount: world.eventCount,
      virtualMs: world.nowMs,
      sent: history.sentCount,
      acknowledged: history.acknowledgedCount,
      failed: history.failedCount,
      deliveries: history.deliveryCount,
      lost: history.lostCount,
      crashes: this.#cluster.services.reduce((sum, { downCount }) => sum + downCount, 0),
      faults: Object.fromEntries(this.nemesis.counts),
      struck: Object.fromEntries([...struck].map(([fault, points]) => [fault, Object.fromEntries(points)])),
      passed: Object.fromEntries(passed),
      events: Object.fromEntries(world.logCounts),
      states: [...this.#sampler.states],
    };
  }

  async #createTopics(): Promise<void> {
    const admin = new Client(this.#world.node('admin').env, { nameServers: this.#cluster.nameServerAddresses });
    const settings = { topic, queueCount: this.#swarm.queueCount };
    for (const broker of this.#cluster.brokers) await createTopic(admin, this.#cluster.brokerAddress(broker), settings);
    await admin.close();
  }

  /** Everything is mended, and must work and be there. */
  async #endSound(): Promise<void> {
    await this.#checkRegistration();
    await this.#checkProgress();
    await Promise.all([this.#admin.stop(), ...this.#producers.map((producer) => producer.stop())]);
    await this.#checkDelivery();
    this.#sampler.stop();
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    this.#isOver = true;
    await this.#checkStores();
    // What a clean stop left is found again, to the byte.
    await Promise.all(this.#cluster.brokers.map((broker) => broker.start()));
    await this.#checkStores();
  }

  /** Every broker serves, or has refused to start with a sentence that names the file. */
  async #endDamaged(): Promise<void> {
    const endMs = this.#world.nowMs + decidedWithinMs;
    const undecided = () =>
      this.#cluster.brokers.filter(
        ({ running, lastFailure }) => running === undefined && !`${lastFailure}`.includes(storeDirectory),
      );
    while (undecided().length > 0) {
      if (this.#world.nowMs > endMs) {
        const reasons = undecided().map(({ node, lastFailure }) => `${node.name} (${lastFailure})`);
        throw new Violation(`on a damaged disk, without naming a file of it, ${reasons} does not start`);
      }
      await this.#world.sleep(100);
    }
    this.#isOver = true;
    this.#sampler.stop();
  }

  /** What the disk of a broker holds when one process has ended and the next has not begun. */
  #judgeBetween({ node }: Cluster['brokers'][number], endedMs: number, safeUntilMs: number): void {
    if (this.#swarm.damaged || this.#isOver) return;
    const { disk } = node;
    checkStateFiles(disk, storeDirectory);
    const ends = survivingEnds(disk, storeDirectory);
    if (this.#swarm.syncFlush) checkCommitted(disk, storeDirectory, topic, ends);
    for (let queueId = 0; queueId < this.#swarm.queueCount + addedQueueCountMax; queueId++) {
      const end = ends.get(`${topic}/${queueId}`) ?? 0;
      this.#history.survived(`${node.name}/${queueId}`, end, endedMs, safeUntilMs);
    }
  }

  /** What was acknowledged until then is never lost. */
  #safeUntilMs(how: 'kill' | 'crash', atMs: number): number {
    if (this.#swarm.syncFlush) return Number.POSITIVE_INFINITY;
    if (this.#swarm.kinds.some((kind) => delayingKinds.includes(kind))) return -1;
    return how === 'kill' ? Number.POSITIVE_INFINITY : atMs - flushWindowMs;
  }

  /** A name server that was started anew knows every broker after their next registration. */
  async #checkRegistration(): Promise<void> {
    const { nameServers, brokers } = this.#cluster;
    const complete = () => nameServers.every(({ running }) => running?.stats().brokerCount === brokers.length);
    await this.#world.until(complete, registeredWithinMs, 'every name server knows every broker');
  }

  /** Everything is mended: within a short while every broker acknowledges what is sent from now on. */
  async #checkProgress(): Promise<void> {
    const mendedMs = this.#world.nowMs;
    const acknowledges = (name: string) =>
      this.#producers.some(({ lastAcknowledged }) => (lastAcknowledged.get(name)?.sentMs ?? -1) >= mendedMs);
    const waiting = () =>
      this.#cluster.brokers
        .filter(({ node }) => !acknowledges(node.name))
        .map(({ node, lastFailure }) => `${node.name}${lastFailure === undefined ? '' : ` (${lastFailure})`}`);
    while (waiting().length > 0) {
      if (this.#world.nowMs > mendedMs + progressWithinMs) {
        throw new Violation(
          `${progressWithinMs} ms after everything was mended nothing is acknowledged by ${waiting()}`,
        );
      }
      await this.#world.sleep(20);
    }
  }

  async #checkDelivery(): Promise<void> {
    const endMs = this.#world.nowMs + deliveredWithinMs;
    for (;;) {
      if (this.#history.awaitedCount === 0) return;
      if (this.#world.nowMs > endMs) {
        const missing = this.#history.missing();
        throw new Violation(`acknowledged but never delivered: ${missing.length}, first ${missing.slice(0, 5)}`);
      }
      await this.#world.sleep(500);
    }
  }

  /** Stops the brokers, and compares their files with what clients were told. */
  async #checkStores(): Promise<void> {
    await Promise.all(this.#cluster.brokers.map(stopCleanly));
    for (const { node } of this.#cluster.brokers) {
      const log = checkStore(node.disk, storeDirectory, new Set([passingTopic]));
      const stored = new Map<string, number>();
      for (const [queue, records] of log) {
        if (!queue.startsWith(`${topic}/`)) continue;
        const place = `${node.name}/${queue.slice(topic.length + 1)}`;
        for (const { queueOffset, body } of records) {
          this.#history.stored(place, queueOffset, Buffer.from(body).toString('utf8'));
        }
        stored.set(place, (records.at(-1)?.queueOffset ?? -1) + 1);
      }
      this.#checkPlaces(node.name, stored);
    }
  }

  #checkPlaces(brokerName: string, stored: ReadonlyMap<string, number>): void {
    for (const [place, ids] of this.#history.places) {
      if (!place.startsWith(`${brokerName}/`)) continue;
      for (const [offset, id] of ids) {
        if (offset >= (stored.get(place) ?? 0)) {
          throw new Violation(`${id} was told to be at ${place}/${offset}, and the log has nothing there`);
        }
      }
    }
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
