/** A process from start to stop: the roles that were asked for, the status port, signals. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { homedir } from 'node:os';
import { type Broker, type BrokerConfig, brokerRows, readBrokerConfig, startBroker } from '../src/broker/mod.ts';
import { type Endpoint, type Env, type Log, NetworkError } from '../src/io/mod.ts';
import { createNodeEnv, type LogLevel } from '../src/io/node/mod.ts';
import {
  type NameServer,
  type NameServerConfig,
  nameServerConfigRows,
  readNameServerConfig,
  startNameServer,
} from '../src/namesrv/mod.ts';
import {
  brokerMetrics,
  type Metric,
  nameServerMetrics,
  processMetrics,
  type Readiness,
  startStatusServer,
} from '../src/status/mod.ts';
import { announcement, dialable } from './announcement.ts';
import { StartFailure, sentenceOf } from './failure.ts';
import { brokerProperties, type Flags, nameServerProperties, type Surroundings } from './settings.ts';

export type RoleName = 'name server' | 'broker';

export interface ServeOptions {
  readonly roles: readonly RoleName[];
  readonly flags: Flags;
  readonly logLevel: LogLevel;
  /** Undefined: no status port. Where the user chose it, a taken port stops the start. */
  readonly status: { readonly listen: Endpoint; readonly chosen: boolean } | undefined;
}

/** How long a name server waits for the answers under way when it stops. */
const nameServerDrainMs = 3000;

interface Parts {
  nameServer?: NameServer;
  broker?: Broker;
}

/** Runs until a signal; resolves when everything is closed. Sets the exit code, and says on stderr why a start failed. */
export async function serve(options: ServeOptions): Promise<void> {
  const version = ownVersion();
  const env = createNodeEnv({ log: { level: options.logLevel } });
  const closers: (() => Promise<void>)[] = [() => env.workers.close()];
  const stopped = stopSignal();
  try {
    const configs = readConfigs(options, env);
    const parts: Parts = {};
    const status = await openStatus(options, env, parts, configs, version);
    if (status !== undefined) closers.push(() => status.close());

    if (configs.nameServer !== undefined) {
      const nameServer = await startNameServer(env, configs.nameServer);
      parts.nameServer = nameServer;
      closers.push(() => nameServer.close(nameServerDrainMs));
    }
    if (configs.broker !== undefined) {
      const own = dialable(parts.nameServer?.listening);
      if (own !== undefined) configs.broker.namesrvAddr = withOwn(own, configs.broker.namesrvAddr);
      const broker = await startBroker(env, { config: configs.broker });
      parts.broker = broker;
      closers.push(() => broker.close());
    }
    process.stdout.write(
      announcement({
        version,
        nameServer: parts.nameServer,
        broker: parts.broker && {
          name: parts.broker.brokerName,
          cluster: configs.broker?.brokerClusterName ?? '',
          listening: parts.broker.listening.main,
          advertised: parts.broker.advertised,
          storePath: configs.broker?.storePathRootDir ?? '',
          nameServers: parts.broker.nameServers,
        },
        status: status?.local,
      }),
    );
    await stopped;
  } catch (error) {
    const sentence = sentenceOf(error);
    console.error(sentence === undefined ? error : `liftmq: ${sentence}`);
    process.exitCode = 1;
  }
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      // What is left open would keep the process alive.
      console.error(error);
      process.exitCode = 1;
    }
  }
}

interface Configs {
  nameServer: { config: NameServerConfig; properties: ReadonlyMap<string, string> } | undefined;
  broker: BrokerConfig | undefined;
}

/** Throws StartFailure that names every key that forbids the start. */
function readConfigs({ roles, flags }: ServeOptions, { host, log }: Env): Configs {
  const around: Surroundings = {
    environment: (name) => host.environment(name),
    home: homedir(),
    workingDirectory: process.cwd(),
  };
  const configs: Configs = { nameServer: undefined, broker: undefined };
  if (roles.includes('name server')) {
    const keys = nameServerConfigRows.map(({ name }) => name);
    const role = roles.includes('broker') ? 'beside a broker' : 'alone';
    const properties = nameServerProperties(keys, flags, around, role);
    configs.nameServer = { config: accepted(readNameServerConfig(properties), log), properties };
  }
  if (roles.includes('broker')) {
    const keys = brokerRows.map(({ name }) => name);
    configs.broker = accepted(readBrokerConfig(brokerProperties(keys, flags, around)), log);
  }
  return configs;
}

function accepted<Values>(reading: { values: Values; warnings: string[]; refusals: string[] }, log: Log): Values {
  for (const warning of reading.warnings) log.warn('config.key', {}, warning);
  if (reading.refusals.length > 0)
    throw new StartFailure(`the configuration forbids the start: ${reading.refusals.join('; ')}`);
  return reading.values;
}

/** The status port opens first, so that it can say what the start still waits for. */
async function openStatus(
  { roles, status }: ServeOptions,
  env: Env,
  parts: Parts,
  configs: Configs,
  version: string,
): Promise<Awaited<ReturnType<typeof startStatusServer>> | undefined> {
  if (status === undefined) return undefined;
  const metrics = (): Metric[] => [
    ...processMetrics(env.host),
    ...(parts.nameServer === undefined ? [] : nameServerMetrics(parts.nameServer.stats())),
    ...(parts.broker === undefined
      ? []
      : brokerMetrics(parts.broker.stats(), {
          cluster: configs.broker?.brokerClusterName ?? '',
          brokerName: parts.broker.brokerName,
        })),
  ];
  try {
    return await startStatusServer({
      network: env.network,
      listen: status.listen,
      version,
      readiness: () => readiness(roles, parts),
      metrics,
    });
  } catch (error) {
    if (status.chosen || !(error instanceof NetworkError && error.code === 'EADDRINUSE')) throw error;
    const { port } = status.listen;
    env.log.warn(
      'status.port-taken',
      { port },
      `port ${port} is taken: no health and metrics; choose another with --http-port`,
    );
    return undefined;
  }
}

function readiness(roles: readonly RoleName[], { nameServer, broker }: Parts): Readiness {
  const parts: Record<string, string> = {};
  if (roles.includes('name server')) parts['name server'] = nameServer === undefined ? 'starting' : 'ready';
  if (roles.includes('broker')) parts.broker = broker === undefined ? 'starting' : brokerWord(broker);
  return { ready: Object.values(parts).every((word) => word === 'ready'), parts };
}

function brokerWord(broker: Broker): string {
  const { writable, cause } = broker.health();
  if (!writable) return `store refuses messages: ${cause ?? 'unknown cause'}`;
  return broker.registered ? 'ready' : 'not registered with a name server';
}

/** The name server of this process comes first; those of the configuration stay. */
function withOwn(own: string, configured: string): string {
  const others = configured.split(';').filter((address) => address !== '' && address !== own);
  return [own, ...others].join(';');
}

/** Ctrl-C reaches the whole group of processes, and launchers pass it on: the same wish may come more than once. */
const sameSignalMs = 1000;

/** Resolves at the first SIGTERM or SIGINT; a further one, later, ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let stoppingSinceMs: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      stoppingSinceMs ??= performance.now();
      if (performance.now() - stoppingSinceMs > sameSignalMs) process.exit(signal === 'SIGINT' ? 130 : 143);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

function ownVersion(): string {
  const path = findPackageJSON(import.meta.url);
  const { version }: { version?: string } = path === undefined ? {} : JSON.parse(readFileSync(path, 'utf8'));
  return version ?? 'of unknown version';
}
