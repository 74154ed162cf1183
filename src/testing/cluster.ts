/** Name servers and brokers in a simulated world, each on a machine of its own. */
import { type Broker, readBrokerConfig, startBroker } from '../broker/mod.ts';
import { assert } from '../common/mod.ts';
import type { Env } from '../io/mod.ts';
import { type NameServer, readNameServerConfig, startNameServer } from '../namesrv/mod.ts';
import { Service } from './service.ts';
import type { SimWorld } from './sim-world.ts';

export interface ClusterShape {
  nameServerCount: number;
  brokerCount: number;
  /** Lines of a broker.conf, over those that the cluster sets itself. */
  brokerProperties: Readonly<Record<string, string>>;
}

const nameServerPort = 9876;
const brokerPort = 10911;
export const storeDirectory = '/data/store';

export class Cluster {
  readonly nameServers: Service<NameServer>[];
  readonly brokers: Service<Broker>[];
  /** `host:port`, as clients and brokers are told. */
  readonly nameServerAddresses: string[];

  constructor(world: SimWorld, shape: ClusterShape) {
    const machines = (kind: string, count: number) =>
      Array.from({ length: count }, (_, index) => world.node(`${kind}-${String.fromCharCode(97 + index)}`));
    const nameServerNodes = machines('namesrv', shape.nameServerCount);
    this.nameServerAddresses = nameServerNodes.map(({ address }) => `${address}:${nameServerPort}`);
    this.nameServers = nameServerNodes.map((node) => new Service(world, node, bootNameServer));
    this.brokers = machines('broker', shape.brokerCount).map(
      (node) =>
        new Service(world, node, (env) =>
          bootBroker(env, {
            brokerName: node.name,
            brokerIP1: node.address,
            namesrvAddr: this.nameServerAddresses.join(';'),
            storePathRootDir: storeDirectory,
            ...shape.brokerProperties,
          }),
        ),
    );
  }

  get services(): Service<unknown>[] {
    return [...this.nameServers, ...this.brokers];
  }

  brokerAddress(broker: Service<Broker>): string {
    return `${broker.node.address}:${brokerPort}`;
  }

  async start(): Promise<void> {
    await Promise.all(this.services.map((service) => service.start()));
  }
}

async function bootNameServer(env: Env): Promise<NameServer> {
  const properties = new Map([
    ['listenPort', String(nameServerPort)],
    ['kvConfigPath', '/data/kvConfig.json'],
    ['configStorePath', '/data/namesrv.properties'],
  ]);
  const { values, refusals } = readNameServerConfig(properties);
  assert(refusals.length === 0, refusals.join('; '));
  return startNameServer(env, { config: values, properties });
}

async function bootBroker(env: Env, properties: Readonly<Record<string, string>>): Promise<Broker> {
  const { values, refusals } = readBrokerConfig(new Map(Object.entries(properties)));
  assert(refusals.length === 0, refusals.join('; '));
  return startBroker(env, { config: values });
}
