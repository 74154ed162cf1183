/** A topic's route as one answer: which queues on which brokers, at which addresses. */
import { Perm, systemTopicPrefix } from '../message/mod.ts';
import { type BrokerGroup, minBrokerId } from './broker-groups.ts';
import type { BrokerTables } from './registration.ts';
import type { QueueData, QueueMapping } from './route-table.ts';

export interface TopicRoute {
  readonly groups: readonly RouteGroup[];
  readonly queues: readonly QueueData[];
  /** Broker address → its filter servers (RocketMQ 3 and 4.x); empty for every broker of today. */
  readonly filterServers: ReadonlyMap<string, readonly string[]>;
  readonly mappings: ReadonlyMap<string, QueueMapping> | undefined;
  readonly orderTopicConf: string | undefined;
}

/** Brokers ask for routes of such topics to find the members of their own group, which must not be dressed up. */
const memberGroupTopicPrefix = `${systemTopicPrefix}SYNC_BROKER_MEMBER_`;

export type RouteGroup = Readonly<Omit<BrokerGroup, 'addresses'>> & { readonly addresses: ReadonlyMap<number, string> };

/** Undefined for a topic that no broker has. With `supportActingMaster` a read-only slave may be shown as the master. */
export function routeOf(
  { groups, routes, liveness }: BrokerTables,
  topic: string,
  options: { supportActingMaster: boolean; orderTopicConf: string | undefined },
): TopicRoute | undefined {
  const queues = routes.queuesOf(topic);
  if (queues === undefined) return undefined;
  const members: RouteGroup[] = [];
  const filterServers = new Map<string, readonly string[]>();
  const acting = options.supportActingMaster && !topic.startsWith(memberGroupTopicPrefix);
  for (const data of queues.values()) {
    const group = groups.get(data.brokerName);
    if (group === undefined) continue;
    members.push(acting && group.actingMaster && (data.perm & Perm.WRITE) === 0 ? withActingMaster(group) : group);
    for (const address of group.addresses.values()) {
      const servers = liveness.get(group.cluster, address)?.filterServers ?? [];
      if (servers.length > 0) filterServers.set(address, servers);
    }
  }
  if (members.length === 0) return undefined;
  return {
    groups: members,
    queues: [...queues.values()],
    filterServers,
    mappings: routes.mappingsOf(topic),
    orderTopicConf: options.orderTopicConf,
  };
}

/** Without a master the lowest id is shown under id 0. */
function withActingMaster(group: BrokerGroup): RouteGroup {
  if (group.addresses.has(0)) return group;
  const acting = minBrokerId(group);
  const addresses = new Map([...group.addresses].map(([id, address]) => [id === acting ? 0 : id, address]));
  return { ...group, addresses };
}

/**
 * The route as a client of `zoneName` shall see it: groups of its zone (in any case of letters), and those whose master
 * is missing, so that their slaves can be read from any zone.
 */
export function inZone(route: TopicRoute, zoneName: string): TopicRoute {
  const zone = zoneName.toLowerCase();
  const removed = route.groups.filter((group) => group.addresses.has(0) && group.zoneName?.toLowerCase() !== zone);
  const removedNames = new Set(removed.map((group) => group.brokerName));
  const removedAddresses = new Set(removed.flatMap((group) => [...group.addresses.values()]));
  return {
    ...route,
    groups: route.groups.filter((group) => !removedNames.has(group.brokerName)),
    queues: route.queues.filter((data) => !removedNames.has(data.brokerName)),
    filterServers: new Map([...route.filterServers].filter(([address]) => !removedAddresses.has(address))),
  };
}
