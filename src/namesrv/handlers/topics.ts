/** Lists of topics, and what administrators change of them here. */
import { TopicSysFlag } from '../../message/mod.ts';
import { type HandlersOf, type Reply, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import { integerAt, itemsOf, jsonBody, memberOf, textAt } from '../json-reading.ts';
import { limits } from '../limits.ts';
import type { BrokerTables } from '../registration.ts';
import { topicListJson } from '../route-json.ts';
import type { QueueData } from '../route-table.ts';

type TopicCommands =
  | 'getAllTopicListFromNameserver'
  | 'getTopicsByCluster'
  | 'getSystemTopicListFromNs'
  | 'getUnitTopicList'
  | 'getHasUnitSubTopicList'
  | 'getHasUnitSubUnunitTopicList'
  | 'deleteTopicInNamesrv'
  | 'registerTopicInNamesrv';

export function topicHandlers(
  { groups, routes }: BrokerTables,
  config: { readonly enableAllTopicList: boolean; readonly enableTopicList: boolean },
): HandlersOf<'namesrv', TopicCommands> {
  const requireTopicList = () => {
    if (!config.enableTopicList) throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'disable');
  };
  /** As in RocketMQ, the first broker's flag speaks for the topic. */
  const topicsByFlag = (accepts: (topicSysFlag: number) => boolean): Reply<never> => {
    requireTopicList();
    const topics = [...routes.topics()].filter((topic) => {
      const [first] = routes.queuesOf(topic)?.values() ?? [];
      return first !== undefined && accepts(first.topicSysFlag);
    });
    return { body: topicListJson(topics) };
  };
  const isUnit = (flag: number) => (flag & TopicSysFlag.UNIT) !== 0;
  const hasUnitSub = (flag: number) => (flag & TopicSysFlag.UNIT_SUB) !== 0;

  return {
    getAllTopicListFromNameserver() {
      if (!config.enableAllTopicList) throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'disable');
      return { body: topicListJson(routes.topics()) };
    },

    getTopicsByCluster({ cluster }) {
      requireTopicList();
      const topics = new Set<string>();
      for (const name of groups.namesIn(cluster)) for (const topic of routes.topicsOf(name)) topics.add(topic);
      return { body: topicListJson(topics) };
    },

    /** The topics that every cluster and broker has for itself, named after it; and some broker's address. */
    getSystemTopicListFromNs() {
      const names = new Set<string>();
      for (const [cluster, brokerNames] of groups.clusters()) {
        names.add(cluster);
        for (const name of brokerNames) names.add(name);
      }
      const [group] = groups.groups();
      const [address] = group?.addresses.values() ?? [];
      return { body: topicListJson(names, address) };
    },

    getUnitTopicList: () => topicsByFlag(isUnit),
    getHasUnitSubTopicList: () => topicsByFlag(hasUnitSub),
    getHasUnitSubUnunitTopicList: () => topicsByFlag((flag) => hasUnitSub(flag) && !isUnit(flag)),

    deleteTopicInNamesrv({ topic, clusterName }) {
      if (!clusterName) routes.removeTopic(topic);
      else for (const name of groups.namesIn(clusterName)) routes.remove(topic, name);
      return {};
    },

    /** Announces a topic ahead of its broker's registration. Up to the first unknown broker, as in RocketMQ. */
    registerTopicInNamesrv({ topic }, body) {
      const rows = itemsOf(memberOf(jsonBody(body), 'queueDatas')).map(queueDataFrom);
      const firstUnknown = rows.findIndex((data) => groups.get(data.brokerName) === undefined);
      if (routes.rowCount + rows.length > limits.routeRowsMax) {
        throw new ResponseError(ResponseCode.SYSTEM_BUSY, `this name server has ${limits.routeRowsMax} topic routes`);
      }
      if (firstUnknown >= 0 && routes.queuesOf(topic) === undefined) return {};
      for (const data of firstUnknown < 0 ? rows : rows.slice(0, firstUnknown)) routes.put(topic, data);
      return {};
    },
  };
}

function queueDataFrom(json: Parameters<typeof textAt>[0]): QueueData {
  return {
    brokerName: textAt(json, 'brokerName') ?? '',
    readQueueNums: integerAt(json, 'readQueueNums', 0),
    writeQueueNums: integerAt(json, 'writeQueueNums', 0),
    perm: integerAt(json, 'perm', 0),
    topicSysFlag: integerAt(json, 'topicSysFlag', integerAt(json, 'topicSynFlag', 0)),
  };
}
