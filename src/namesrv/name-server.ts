import type { Endpoint, Env } from '../io/mod.ts';
import { createRemotingClient, type RemotingServerStats, startRemotingServer } from '../remoting/mod.ts';
import { BrokerGroups } from './broker-groups.ts';
import { BrokerLiveness } from './broker-liveness.ts';
import type { NameServerConfig } from './config.ts';
import { brokerHandlers } from './handlers/brokers.ts';
import { clusterHandlers } from './handlers/cluster.ts';
import { configHandlers } from './handlers/config.ts';
import { routeHandlers } from './handlers/routes.ts';
import { topicHandlers } from './handlers/topics.ts';
import { KvConfig } from './kv-config.ts';
import { Membership } from './membership.ts';
import type { MinBrokerChange } from './registration.ts';
import { RouteTable } from './route-table.ts';
import { RuntimeConfig } from './runtime-config.ts';

export interface NameServerStats {
  /** Broker processes that are registered. */
  brokerCount: number;
  topicCount: number;
  remoting: RemotingServerStats;
}

export interface NameServer {
  /** What it listens on; the port is the real one where port 0 was asked for. */
  readonly listening: Endpoint;
  stats(): NameServerStats;
  /** Stops accepting, answers what is under way for up to `drainMs`, and closes. */
  close(drainMs: number): Promise<void>;
}

/**
 * A name server: brokers tell it what they have, clients ask it where to find that. All of it is in memory but the KV
 * configuration; several name servers know nothing of each other, every broker registers with all of them.
 *
 * `properties` are those that `config` was read from; run-time changes are written with them. Rejects when the port is
 * taken (NetworkError) and when kvConfig.json cannot be read.
 */
export async function startNameServer(
  env: Env,
  options: { config: NameServerConfig; properties: ReadonlyMap<string, string> },
): Promise<NameServer> {
  const { clock, timers, network, disk, workers, host, log } = env;
  const config = new RuntimeConfig(disk, options.config, options.properties);
  const kvConfig = await KvConfig.open(disk, options.config.kvConfigPath);
  const tables = { groups: new BrokerGroups(), routes: new RouteTable(), liveness: new BrokerLiveness() };
  const client = createRemotingClient({ network, timers, clock, log });

  function announce(change: MinBrokerChange): void {
    if (!config.values.notifyMinBrokerIdChanged) return;
    log.info('namesrv.min.broker.changed', { ...change }, 'the lowest broker id of a group changed');
    const header = {
      minBrokerId: change.minBrokerId,
      brokerName: change.brokerName,
      minBrokerAddr: change.minBrokerAddress,
      offlineBrokerAddr: change.offlineAddress,
      haBrokerAddr: change.haServerAddress,
    };
    for (const address of change.notify) {
      client.oneway(address, 'notifyMinBrokerIdChange', header).catch((error: unknown) => {
        log.warn('namesrv.notice.failed', { address, cause: error }, 'a broker could not be told of the change');
      });
    }
  }

  const membership = new Membership({ clock, timers, workers, log }, tables, config.values, announce);
  const server = await startRemotingServer({
    network,
    timers,
    clock,
    log,
    host,
    listen: { host: options.config.bindAddress, port: options.config.listenPort },
    role: 'namesrv',
    handlers: {
      ...brokerHandlers(tables, membership, kvConfig, config.values, clock),
      ...routeHandlers(tables, kvConfig, config.values, clock),
      ...topicHandlers(tables, config.values),
      ...clusterHandlers(tables),
      ...configHandlers(kvConfig, config),
    },
  });
  const scan = timers.every(options.config.scanNotActiveBrokerInterval, () => membership.expire());

  return {
    listening: server.listening.main,
    stats: () => ({
      brokerCount: tables.liveness.size,
      topicCount: tables.routes.topicCount,
      remoting: server.stats(),
    }),
    async close(drainMs) {
      scan.cancel();
      await server.close(drainMs);
      await client.close();
      await kvConfig.settled();
      await config.settled();
    },
  };
}
