/** The two sides of the comparison: how each is started from the same broker.conf, and what it is then made of. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, cpuSecondsOf, type Memory, memoryOf, startChild } from './processes.ts';
import { type Answer, createTopic, findRoute, sendOne } from './wire.ts';

const START_MS_MAX = 90_000;
const POLL_MS = 5;

export const ports = { namesrv: 9876, broker: 10911 } as const;
export const topicQueueCount = 8;

export type Flush = 'ASYNC_FLUSH' | 'SYNC_FLUSH';
export type Side = 'Apache' | 'LiftMQ';

export interface RunningServer {
  /** From the first process's start to the first acknowledged message of a client that asked for its route. */
  readonly startMs: number;
  createTopic(topic: string): Promise<void>;
  /** CPU seconds of all its processes since they began. */
  cpuSeconds(): number;
  memory(): Memory;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Empty; holds the store, the logs and the home of the run, and is wiped by the caller afterwards. */
  readonly directory: string;
  readonly flush: Flush;
  /** More options for the Node process that runs LiftMQ, such as a profiler's. */
  readonly nodeOptions?: readonly string[];
}

export type StartServer = (options: ServerOptions) => Promise<RunningServer>;

/** Both sides read this very file, as Apache's `mqbroker -c` does. */
function writeConfig({ directory, flush }: ServerOptions): string {
  const path = join(directory, 'broker.conf');
  const properties = {
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: 0,
    brokerIP1: '127.0.0.1',
    namesrvAddr: `127.0.0.1:${ports.namesrv}`,
    listenPort: ports.broker,
    storePathRootDir: join(directory, 'store'),
    storePathCommitLog: join(directory, 'store', 'commitlog'),
    flushDiskType: flush,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(path, lines.join(''));
  return path;
}

/** The options of Apache's own start scripts with 4 GiB of heap, less what would only slow its start (pre-touch). */
const jvmOptions = [
  '-server',
  '-Xms4g',
  '-Xmx4g',
  '-XX:+UseG1GC',
  '-XX:G1HeapRegionSize=16m',
  '-XX:G1ReservePercent=25',
  '-XX:InitiatingHeapOccupancyPercent=30',
  '-XX:SoftRefLRUPolicyMSPerMB=0',
  '-XX:-OmitStackTraceInFastThrow',
  '-XX:MaxDirectMemorySize=15g',
];

export function apache(jarsDirectory: string): StartServer {
  return async (options) => {
    const config = writeConfig(options);
    const home = join(options.directory, 'home');
    mkdirSync(home);
    const startJava = (mainClass: string, args: readonly string[]) =>
      startChild('java', [...jvmOptions, `-Duser.home=${home}`, '-cp', join(jarsDirectory, '*'), mainClass, ...args], {
        cwd: options.directory,
        env: { ROCKETMQ_HOME: options.directory },
        outputPath: join(options.directory, `${mainClass}.out`),
      });
    const startedAtMs = performance.now();
    const namesrv = startJava('org.apache.rocketmq.namesrv.NamesrvStartup', []);
    // A broker that finds no name server tries again only after 10 s, so the name server is waited for.
    await untilAnswered([namesrv], () => findRoute(ports.namesrv, 'TBW102'));
    const broker = startJava('org.apache.rocketmq.broker.BrokerStartup', ['-c', config]);
    return untilServing([namesrv, broker], startedAtMs);
  };
}

export function liftmq(repository: string): StartServer {
  return async (options) => {
    const config = writeConfig(options);
    const startedAtMs = performance.now();
    const child = startChild(
      process.execPath,
      [...(options.nodeOptions ?? []), join(repository, 'bin', 'liftmq.ts'), 'start', '-c', config],
      { cwd: options.directory, outputPath: join(options.directory, 'liftmq.out') },
    );
    return untilServing([child], startedAtMs);
  };
}

async function untilServing(children: readonly Child[], startedAtMs: number): Promise<RunningServer> {
  const isSuccess = (answer: Answer) => answer.code === 0;
  await untilAnswered(children, () => findRoute(ports.namesrv, 'TBW102'), isSuccess);
  await untilAnswered(children, () => sendOne(ports.broker, 'bench_first'), isSuccess);
  const startMs = performance.now() - startedAtMs;
  return {
    startMs,
    async createTopic(topic) {
      const answer = await createTopic(ports.broker, topic, topicQueueCount);
      if (answer.code !== 0) throw new Error(`creating topic ${topic}: code ${answer.code} ${answer.remark}`);
    },
    cpuSeconds: () => children.reduce((sum, child) => sum + cpuSecondsOf(child.pid), 0),
    memory: () => {
      const memories = children.map((child) => memoryOf(child.pid));
      return {
        residentBytes: memories.reduce((sum, memory) => sum + memory.residentBytes, 0),
        anonymousBytes: memories.reduce((sum, memory) => sum + memory.anonymousBytes, 0),
      };
    },
    async stop() {
      for (const child of [...children].reverse()) await child.stop();
    },
  };
}

/** Asks again and again until the answer is accepted; a child's end or too long a wait is an error with its output. */
async function untilAnswered(
  children: readonly Child[],
  attempt: () => Promise<Answer>,
  isAccepted: (answer: Answer) => boolean = () => true,
): Promise<void> {
  const giveUpAtMs = performance.now() + START_MS_MAX;
  let last = 'nothing listens yet';
  while (performance.now() < giveUpAtMs) {
    try {
      const answer = await attempt();
      if (isAccepted(answer)) return;
      last = `code ${answer.code} ${answer.remark}`;
    } catch (error) {
      last = String(error);
    }
    const dead = children.find((child) => child.ended() !== undefined);
    if (dead) throw new Error(`a server ended with ${dead.ended()} at its start:\n${dead.output()}`);
    await sleep(POLL_MS);
  }
  for (const child of children) await child.stop();
  throw new Error(`a server was not ready after ${START_MS_MAX} ms (${last})`);
}
