/** The question that every client asks: where is this topic? */
import type { Clock } from '../../io/mod.ts';
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { KvConfig } from '../kv-config.ts';
import type { BrokerTables } from '../registration.ts';
import { routeDialect, routeJson } from '../route-json.ts';
import { inZone, routeOf } from '../topic-route.ts';

/** The KV namespace of `updateTopic -o` (RocketMQ: NAMESPACE_ORDER_TOPIC_CONFIG). */
export const orderTopicNamespace = 'ORDER_TOPIC_CONFIG';

interface RouteConfig {
  readonly needWaitForService: boolean;
  readonly waitSecondsForService: number;
  readonly orderMessageEnable: boolean;
  readonly supportActingMaster: boolean;
}

export function routeHandlers(
  tables: BrokerTables,
  kvConfig: KvConfig,
  config: RouteConfig,
  clock: Clock,
): HandlersOf<'namesrv', 'getRouteinfoByTopic'> {
  const startedMs = clock.monotonicMs();
  return {
    getRouteinfoByTopic({ topic, acceptStandardJsonOnly }, _body, call, extra) {
      if (config.needWaitForService && clock.monotonicMs() - startedMs < config.waitSecondsForService * 1000) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'name server not ready');
      }
      const route = routeOf(tables, topic, {
        supportActingMaster: config.supportActingMaster,
        orderTopicConf: config.orderMessageEnable ? kvConfig.get(orderTopicNamespace, topic) : undefined,
      });
      if (route === undefined) throw noRoute(tables, topic);
      const zoneName = extra.get('__ZONE_NAME')?.trim();
      if (zoneName && extra.get('__ZONE_MODE')?.toLowerCase() === 'true') {
        // RocketMQ: ZoneRouteRPCHook writes the filtered route anew, in the loose dialect for every client.
        return { body: routeJson(inZone(route, zoneName), 'loose') };
      }
      return { body: routeJson(route, routeDialect(call.version, acceptStandardJsonOnly === true)) };
    },
  };
}

function noRoute({ liveness }: BrokerTables, topic: string): ResponseError {
  const why =
    liveness.size === 0
      ? 'no broker is registered here: check the namesrvAddr of the brokers'
      : `none of the ${liveness.size} brokers registered here has it: create it (mqadmin updateTopic), or send to it where autoCreateTopicEnable allows`;
  return new ResponseError(
    ResponseCode.TOPIC_NOT_EXIST,
    `No topic route info in name server for the topic: ${topic} (${why})`,
  );
}
