/** Clients present themselves (34), take their leave (35), ask who else is there (38) and whether a filter is served (46). */
import type { JsonObject, JsonValue } from '../../common/mod.ts';
import type { Log } from '../../io/mod.ts';
import { retryTopicOf, TopicSysFlag } from '../../message/mod.ts';
import { type Call, type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { ClientRegistry, Subscription } from '../client-registry.ts';
import { asObject } from '../json-state.ts';
import { isTagType, readSubscription } from '../subscription.ts';
import { retryQueueNumsMax, type SubscriptionGroups } from '../subscription-groups.ts';
import type { Topics } from '../topics.ts';
import { jsonBody, readBody } from './bodies.ts';

type ClientCommand = 'heartBeat' | 'unregisterClient' | 'getConsumerListByGroup' | 'checkClientConfig';

/** Groups in one heartbeat, and topics that one group subscribes to; a heartbeat with more is refused. */
const groupsMax = 4096;
const subscriptionsMax = 4096;

export function clientHandlers(parts: {
  readonly registry: ClientRegistry;
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly log: Log;
  readonly config: { readonly rejectPullConsumerEnable: boolean };
}): HandlersOf<'broker', ClientCommand> {
  const { registry, topics, groups, log, config } = parts;

  /** True when the group's subscription may differ from what the client believes (fingerprints). */
  function register(
    consumer: JsonObject,
    call: Call<'heartBeat'>,
    clientId: string,
    fingerprint: number,
    withoutSub: boolean,
  ): boolean {
    const name = textOf(consumer.groupName);
    if (config.rejectPullConsumerEnable && consumer.consumeType === 'CONSUME_ACTIVELY') return false;
    const group = groups.findOrCreate(name);
    if (group === undefined) return false;
    const subscriptions = subscriptionsOf(name, consumer.subscriptionDataSet);
    // So that the group's first retry finds a queue (RocketMQ: ClientManageProcessor.heartBeat). Without subscriptions
    // nothing says whether it is read in order: it stays as it is.
    const retryName = retryTopicOf(name);
    const retry = topics.createForGroup(
      retryName,
      Math.max(0, Math.min(group.retryQueueNums, retryQueueNumsMax)),
      withoutSub
        ? topics.get(retryName)?.order === true
        : subscriptions.some(({ topic }) => topics.get(topic)?.order === true),
      consumer.unitMode === true ? TopicSysFlag.UNIT_SUB : 0,
    );
    if (typeof retry === 'string') {
      log.warn('broker.retry-topic-missing', { group: name }, `group ${name} has no retry topic: ${retry}`);
    }
    return registry.registerConsumer(
      name,
      call.peer,
      { clientId, language: call.language, version: call.version },
      {
        consumeType: textOf(consumer.consumeType) || 'CONSUME_PASSIVELY',
        messageModel: textOf(consumer.messageModel) || 'CLUSTERING',
        consumeFromWhere: textOf(consumer.consumeFromWhere) || 'CONSUME_FROM_LAST_OFFSET',
      },
      withoutSub ? undefined : subscriptions,
      fingerprint,
      group.notifyConsumerIdsChangedEnable,
    );
  }

  return {
    /** The second kind carries a fingerprint, and may leave the subscriptions out while it stays the same. */
    heartBeat(_header, body, call) {
      const heartbeat = readBody(body);
      const clientId = textOf(heartbeat.clientID);
      if (clientId === '') throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'the heartbeat has no clientID');
      const fingerprint = typeof heartbeat.heartbeatFingerprint === 'number' ? heartbeat.heartbeatFingerprint : 0;
      const consumers = objectsOf(heartbeat.consumerDataSet);
      const producers = objectsOf(heartbeat.producerDataSet);
      if (consumers.length + producers.length > groupsMax) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `a heartbeat may name ${groupsMax} groups at most`);
      }
      const withoutSub = fingerprint !== 0 && heartbeat.withoutSub === true;
      let changed = false;
      for (const consumer of consumers) {
        if (register(consumer, call, clientId, fingerprint, withoutSub)) changed = true;
      }
      for (const producer of producers) {
        const group = textOf(producer.groupName);
        if (group === '') continue;
        registry.registerProducer(group, call.peer, { clientId, language: call.language, version: call.version });
      }
      return {
        extra: { IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: String(fingerprint === 0 || changed) },
      };
    },

    unregisterClient({ producerGroup, consumerGroup }, _body, call) {
      if (producerGroup !== undefined) registry.unregisterProducer(producerGroup, call.peer);
      if (consumerGroup !== undefined) registry.unregisterConsumer(consumerGroup, call.peer);
      return {};
    },

    getConsumerListByGroup({ consumerGroup }) {
      const group = registry.consumerGroup(consumerGroup);
      if (group === undefined) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `no consumer for this group, ${consumerGroup}`);
      }
      return { body: jsonBody({ consumerIdList: [...group.clients.values()].map(({ clientId }) => clientId) }) };
    },

    checkClientConfig(_header, body) {
      const subscription = body.length === 0 ? undefined : asObject(readBody(body).subscriptionData);
      const expressionType = textOf(subscription?.expressionType);
      if (isTagType(expressionType)) return {};
      throw new ResponseError(
        ResponseCode.SYSTEM_ERROR,
        `The broker does not support consumer to filter message by ${expressionType}`,
      );
    },
  };
}

function subscriptionsOf(group: string, json: JsonValue | undefined): Subscription[] {
  const given = objectsOf(json);
  if (given.length > subscriptionsMax) {
    throw new ResponseError(
      ResponseCode.SYSTEM_ERROR,
      `group ${group} subscribes to ${given.length} topics, the limit is ${subscriptionsMax}`,
    );
  }
  return given.map(readSubscription).filter((subscription) => subscription !== undefined);
}

function objectsOf(json: JsonValue | undefined): JsonObject[] {
  return Array.isArray(json) ? json.map(asObject).filter((object) => object !== undefined) : [];
}

function textOf(json: JsonValue | undefined): string {
  return typeof json === 'string' ? json : '';
}
