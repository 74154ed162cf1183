/** The cluster as a whole, and the write permission of a broker that is to be drained. */
import type { HandlersOf } from '../../remoting/mod.ts';
import type { BrokerTables } from '../registration.ts';
import { clusterInfoJson, memberGroupJson } from '../route-json.ts';

type ClusterCommands =
  | 'getBrokerClusterInfo'
  | 'getBrokerMemberGroup'
  | 'wipeWritePermOfBroker'
  | 'addWritePermOfBroker';

export function clusterHandlers({ groups, routes }: BrokerTables): HandlersOf<'namesrv', ClusterCommands> {
  return {
    getBrokerClusterInfo: () => ({ body: clusterInfoJson(groups) }),

    getBrokerMemberGroup: ({ clusterName, brokerName }) => ({
      body: memberGroupJson(clusterName, brokerName, groups.get(brokerName)),
    }),

    /** Lasts until the broker registers with a changed topic table. */
    wipeWritePermOfBroker: ({ brokerName }) => ({
      fields: { wipeTopicCount: routes.wipeWritePermission(brokerName) },
    }),

    addWritePermOfBroker: ({ brokerName }) => ({ fields: { addTopicCount: routes.addWritePermission(brokerName) } }),
  };
}
