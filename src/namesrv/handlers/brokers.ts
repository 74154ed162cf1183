/** What brokers say of themselves: register, unregister, heartbeat, and whether their topic table is known already. */
import { crc32 } from '../../common/mod.ts';
import type { Clock } from '../../io/mod.ts';
import { type HandlersOf, type Reply, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import { dataVersionFrom, sameDataVersion } from '../data-version.ts';
import { jsonBody } from '../json-reading.ts';
import type { KvConfig } from '../kv-config.ts';
import type { Membership } from '../membership.ts';
import { registerBodyForm } from '../register-body.ts';
import type { BrokerTables, RegisterResult } from '../registration.ts';
import { looseJson } from '../route-json.ts';
import { orderTopicNamespace } from './routes.ts';

type BrokerCommands = 'registerBroker' | 'unregisterBroker' | 'brokerHeartbeat' | 'queryDataVersion';

export function brokerHandlers(
  { liveness }: BrokerTables,
  membership: Membership,
  kvConfig: KvConfig,
  config: { readonly returnOrderTopicConfigToBroker: boolean },
  clock: Clock,
): HandlersOf<'namesrv', BrokerCommands> {
  const registered = ({ master }: RegisterResult): Reply<'registerBroker'> => {
    const orderTopics = config.returnOrderTopicConfigToBroker ? kvConfig.list(orderTopicNamespace) : undefined;
    return {
      fields: { masterAddr: master?.address, haServerAddr: master?.haServerAddress },
      body: orderTopics === undefined ? undefined : looseJson({ table: orderTopics }),
    };
  };

  return {
    registerBroker(header, body, call, extra) {
      for (const name of ['clusterName', 'brokerName', 'brokerAddr', 'brokerId']) {
        if (!extra.get(name)) throw new ResponseError(ResponseCode.SYSTEM_ERROR, `REGISTER_BROKER without ${name}`);
      }
      if (header.bodyCrc32 && header.bodyCrc32 !== (crc32(body) & 0x7fffffff)) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'crc32 not match');
      }
      const result = membership.register(
        {
          cluster: header.clusterName,
          brokerName: header.brokerName,
          brokerId: header.brokerId,
          address: header.brokerAddr,
          haServerAddress: header.haServerAddr,
          zoneName: extra.get('__ZONE_NAME'),
          enableActingMaster: header.enableActingMaster,
          heartbeatTimeoutMs: header.heartbeatTimeoutMillis,
          connection: call.peer,
        },
        body,
        registerBodyForm(call.version, header.compressed === true, body),
      );
      return result instanceof Promise ? result.then(registered) : registered(result);
    },

    unregisterBroker(header, _body, call) {
      const done = membership.unregister(header.clusterName, header.brokerAddr, header.brokerName, call.peer);
      return done instanceof Promise ? done.then(() => ({})) : {};
    },

    brokerHeartbeat(header) {
      liveness.heard(header.clusterName, header.brokerAddr, clock.monotonicMs());
      return {};
    },

    queryDataVersion(header, body) {
      const asked = dataVersionFrom(jsonBody(body));
      const known = liveness.get(header.clusterName, header.brokerAddr)?.dataVersion;
      liveness.heard(header.clusterName, header.brokerAddr, clock.monotonicMs());
      return {
        fields: { changed: known === undefined || !sameDataVersion(known, asked) },
        body: known === undefined ? undefined : looseJson(known),
      };
    },
  };
}
