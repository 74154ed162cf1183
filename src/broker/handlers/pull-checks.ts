/**
 * Who may pull what: group, topic and subscription of a pull, checked in Apache's order and refused with its codes
 * (RocketMQ: PullMessageProcessor).
 */
import { Perm, PullSysFlag } from '../../message/mod.ts';
import { type Peer, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { ClientRegistry, Subscription } from '../client-registry.ts';
import { isTagType, subscriptionOf } from '../subscription.ts';
import { isSystemGroup, type SubscriptionGroup, type SubscriptionGroups } from '../subscription-groups.ts';
import type { Topic } from '../topic.ts';
import type { Topics } from '../topics.ts';

export interface PullCheckParts {
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly registry: ClientRegistry;
  readonly config: {
    readonly brokerPermission: number;
    readonly litePullMessageEnable: boolean;
    readonly rejectPullConsumerEnable: boolean;
  };
}

/** The request, kept while it is held. */
export interface Pull {
  readonly group: string;
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
  readonly maxMessages: number;
  readonly sysFlag: number;
  readonly commitOffset: number;
  readonly holdMs: number;
  readonly expression: string;
  readonly expressionType: string;
  readonly subVersion: number;
  readonly lite: boolean;
}

/** Who forbids it, in the answer's header (RocketMQ: ForbiddenType). */
const ForbiddenType = { BROKER: 1, GROUP: 2, TOPIC: 3, BROADCASTING: 4, SUBSCRIPTION: 5 } as const;

/** A refusal that carries the header field forbiddenType. */
export class Forbidden extends ResponseError {
  readonly forbiddenType: number;
  constructor(forbiddenType: number, remark: string) {
    super(ResponseCode.NO_PERMISSION, remark);
    this.forbiddenType = forbiddenType;
  }
}

export class PullChecks {
  readonly #parts: PullCheckParts;

  constructor(parts: PullCheckParts) {
    this.#parts = parts;
  }

  group(request: Pull): SubscriptionGroup {
    if ((this.#parts.config.brokerPermission & Perm.READ) === 0) {
      throw new Forbidden(ForbiddenType.BROKER, 'the broker pulling message is forbidden (brokerPermission)');
    }
    if (request.lite && !this.#parts.config.litePullMessageEnable) {
      throw new Forbidden(
        ForbiddenType.BROKER,
        'the broker for lite pull consumer is forbidden (litePullMessageEnable)',
      );
    }
    const group = this.#parts.groups.findOrCreate(request.group);
    if (group === undefined) {
      throw new ResponseError(
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        `subscription group [${request.group}] does not exist: create it, or allow autoCreateSubscriptionGroup`,
      );
    }
    if (!group.consumeEnable) {
      throw new Forbidden(ForbiddenType.GROUP, `subscription group no permission, ${request.group}`);
    }
    return group;
  }

  topic(request: Pull): Topic {
    const topic = this.#parts.topics.get(request.topic);
    if (topic === undefined) {
      throw new ResponseError(ResponseCode.TOPIC_NOT_EXIST, `topic[${request.topic}] not exist, apply first please!`);
    }
    if ((topic.perm & Perm.READ) === 0) {
      throw new Forbidden(ForbiddenType.TOPIC, `the topic[${request.topic}] pulling message is forbidden`);
    }
    if (request.queueId < 0 || request.queueId >= topic.readQueueNums) {
      throw new ResponseError(
        ResponseCode.INVALID_PARAMETER,
        `queueId[${request.queueId}] is illegal, topic:[${request.topic}] topicConfig.readQueueNums:[${topic.readQueueNums}]`,
      );
    }
    return topic;
  }

  subscription(request: Pull, group: SubscriptionGroup, peer: Peer): Subscription {
    const subscription =
      (request.sysFlag & PullSysFlag.SUBSCRIPTION) !== 0 ? this.#own(request) : this.#ofGroup(request, group);
    if (this.#parts.config.rejectPullConsumerEnable && !isSystemGroup(request.group)) {
      const consumers = this.#parts.registry.consumerGroup(request.group);
      if (consumers?.consumeType !== 'CONSUME_PASSIVELY' && consumers?.clients.has(peer.id) !== true) {
        throw new ResponseError(
          ResponseCode.SUBSCRIPTION_NOT_EXIST,
          `the consumer's group info not exist, or the pull consumer is rejected by server: ${request.group}`,
        );
      }
    }
    return subscription;
  }

  #own(request: Pull): Subscription {
    if (!isTagType(request.expressionType)) throw noSql(request.expressionType);
    const subscription = subscriptionOf(request.topic, request.expression, request.subVersion);
    if (subscription !== undefined) return subscription;
    throw new ResponseError(
      ResponseCode.SUBSCRIPTION_PARSE_FAILED,
      `parse the consumer's subscription failed: ${JSON.stringify(request.expression)} names no tag`,
    );
  }

  #ofGroup(request: Pull, group: SubscriptionGroup): Subscription {
    const consumers = this.#parts.registry.consumerGroup(request.group);
    if (consumers === undefined) {
      throw new ResponseError(
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        `the consumer's group info not exist: no heartbeat of group ${request.group} has come yet`,
      );
    }
    if (!group.consumeBroadcastEnable && consumers.messageModel === 'BROADCASTING') {
      throw new Forbidden(
        ForbiddenType.BROADCASTING,
        `the consumer group[${request.group}] can not consume by broadcast way`,
      );
    }
    if (this.#parts.groups.isReadForbidden(request.group, request.topic)) {
      throw new Forbidden(
        ForbiddenType.SUBSCRIPTION,
        `the consumer group[${request.group}] is forbidden for topic[${request.topic}]`,
      );
    }
    const subscription = consumers.subscriptions.get(request.topic);
    if (subscription === undefined) {
      throw new ResponseError(
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        `the consumer's subscription not exist: group ${request.group} does not subscribe to ${request.topic}`,
      );
    }
    if (!isTagType(subscription.expressionType)) throw noSql(subscription.expressionType);
    if (subscription.subVersion >= request.subVersion) return subscription;
    // The client has changed its subscription, and the heartbeat that says how has not come. A Java client that starts
    // loses it now and then to a lock of its own, for half a minute. Clients compare tags themselves, so that messages of
    // all tags are right for whatever it wants now. (Apache refuses with SUBSCRIPTION_NOT_LATEST.)
    return { ...subscription, accepts: undefined };
  }
}

function noSql(expressionType: string): ResponseError {
  return new ResponseError(
    ResponseCode.SYSTEM_ERROR,
    `The broker does not support consumer to filter message by ${expressionType}`,
  );
}
