/**
 * The name server's answers as JSON. There are two dialects:
 *
 * - loose, which all Java versions read: integer keys stand bare, `{0:"10.0.0.1:10911"}`;
 * - strict, standard JSON with non-ASCII characters escaped: for Java clients from 4.9.4 on and for whoever asks with
 *   `acceptStandardJsonOnly`, as the clients in other languages do. Only routes are ever answered in it.
 */
import { writeLooseJson } from '../common/mod.ts';
import type { BrokerGroup, BrokerGroups } from './broker-groups.ts';
import type { RouteGroup, TopicRoute } from './topic-route.ts';

type JsonDialect = 'loose' | 'strict';

const version4_9_4 = 401;

export function routeDialect(clientVersion: number, acceptStandardJsonOnly: boolean): JsonDialect {
  return clientVersion >= version4_9_4 || acceptStandardJsonOnly ? 'strict' : 'loose';
}

export function routeJson(route: TopicRoute, dialect: JsonDialect): Uint8Array {
  const value = {
    brokerDatas: route.groups.map(groupValue),
    filterServerTable: route.filterServers,
    orderTopicConf: route.orderTopicConf,
    queueDatas: route.queues,
    topicQueueMappingByBroker: route.mappings,
  };
  return encode(writeLooseJson(value, { integerKeys: dialect === 'loose' ? 'bare' : 'quoted' }));
}

export function clusterInfoJson(groups: BrokerGroups): Uint8Array {
  return looseJson({
    brokerAddrTable: new Map([...groups.groups()].map((group) => [group.brokerName, groupValue(group)])),
    clusterAddrTable: new Map(groups.clusters()),
  });
}

/** An unknown group has no addresses. */
export function memberGroupJson(cluster: string, brokerName: string, group: BrokerGroup | undefined): Uint8Array {
  return looseJson({ brokerMemberGroup: { brokerAddrs: group?.addresses ?? new Map(), brokerName, cluster } });
}

export function topicListJson(topics: Iterable<string>, brokerAddress?: string): Uint8Array {
  // The platform's own writer: a list may have tens of thousands of names.
  return encode(JSON.stringify({ brokerAddr: brokerAddress, topicList: [...topics] }));
}

export function looseJson(value: unknown): Uint8Array {
  return encode(writeLooseJson(value));
}

function groupValue(group: RouteGroup): unknown {
  return {
    brokerAddrs: group.addresses,
    brokerName: group.brokerName,
    cluster: group.cluster,
    enableActingMaster: group.actingMaster,
    zoneName: group.zoneName,
  };
}

const utf8 = new TextEncoder();

function encode(text: string): Uint8Array {
  return utf8.encode(text);
}
