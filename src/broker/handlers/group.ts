/**
 * Consumer groups: created and changed (200), deleted (207), listed (201, 352), who is in them (203, 204), lag (208), and
 * which of them consume a topic (300).
 */
import { writeLooseJson } from '../../common/mod.ts';
import type { Timers } from '../../io/mod.ts';
import { checkGroupName } from '../../message/mod.ts';
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';
import { changeAttributes, groupAttributes } from '../attributes.ts';
import type { Client, ClientRegistry } from '../client-registry.ts';
import type { ConsumerOffsets } from '../consumer-offsets.ts';
import { pageOf } from '../pages.ts';
import { bytesInSlices, listed, membersOf } from '../slices.ts';
import { readGroup, type SubscriptionGroups } from '../subscription-groups.ts';
import type { Topics } from '../topics.ts';
import type { Traffic } from '../traffic.ts';
import { jsonBody, readBody } from './bodies.ts';

type GroupCommand =
  | 'updateAndCreateSubscriptiongroup'
  | 'deleteSubscriptiongroup'
  | 'getAllSubscriptiongroupConfig'
  | 'getSubscriptiongroupConfig'
  | 'getConsumerConnectionList'
  | 'getProducerConnectionList'
  | 'getConsumeStats'
  | 'queryTopicConsumeByWho';

export function groupHandlers(parts: {
  readonly store: Pick<MessageStore, 'maxOffset' | 'timestampAt'>;
  readonly topics: Topics;
  readonly groups: SubscriptionGroups;
  readonly registry: ClientRegistry;
  readonly offsets: ConsumerOffsets;
  readonly traffic: Pick<Traffic, 'groupGetRate'>;
  readonly timers: Timers;
  readonly brokerName: string;
  readonly config: { readonly enableSplitMetadata: boolean; readonly splitMetadataSize: number };
}): HandlersOf<'broker', GroupCommand> {
  const { store, topics, groups, registry, offsets, traffic, timers, brokerName, config } = parts;

  /** What a group reads: all that it has offsets in, unless its subscription says otherwise. */
  function topicsToReport(group: string, topic: string | undefined, topicList: string | undefined): string[] {
    const listed = (topicList ?? '').split(';').filter((name) => name !== '');
    if (listed.length > 0) return [...new Set(listed)];
    const candidates = topic === undefined || topic.trim() === '' ? offsets.topicsOf(group) : [topic];
    const subscriptions = registry.consumerGroup(group)?.subscriptions;
    if (subscriptions === undefined || subscriptions.size === 0) return candidates;
    return candidates.filter((name) => subscriptions.has(name));
  }

  async function* progressOf(group: string, names: readonly string[]): AsyncIterable<string> {
    for (const topic of names) {
      const queues = topics.get(topic)?.readQueueNums ?? 0;
      for (let queueId = 0; queueId < queues; queueId++) {
        const consumerOffset = Math.max(0, offsets.committed(group, topic, queueId));
        const pullOffset = Math.max(consumerOffset, offsets.pulled(group, topic, queueId));
        const consumedMs = consumerOffset > 0 ? await store.timestampAt(topic, queueId, consumerOffset - 1) : 0;
        const brokerOffset = store.maxOffset(topic, queueId);
        const row = { brokerOffset, consumerOffset, pullOffset, lastTimestamp: Math.max(0, consumedMs) };
        yield `${writeLooseJson({ brokerName, queueId, topic })}:${writeLooseJson(row)}`;
      }
    }
  }

  return {
    async updateAndCreateSubscriptiongroup(_header, body) {
      const json = readBody(body);
      const name = typeof json.groupName === 'string' ? json.groupName : '';
      const problem = checkGroupName(name);
      if (problem !== undefined) throw new ResponseError(ResponseCode.INVALID_PARAMETER, problem);
      const wanted = readGroup(name, json);
      const attributes = changeAttributes(groupAttributes, groups.attributesOf(name), wanted.attributes);
      if (typeof attributes === 'string') throw new ResponseError(ResponseCode.SYSTEM_ERROR, attributes);
      const refusal = await groups.put({ ...wanted, attributes });
      if (refusal !== undefined) throw new ResponseError(ResponseCode.SYSTEM_ERROR, refusal);
      return {};
    },

    async deleteSubscriptiongroup({ groupName, cleanOffset }) {
      await groups.delete(groupName);
      if (cleanOffset === true) offsets.forgetGroup(groupName);
      return {};
    },

    async getAllSubscriptiongroupConfig(header, _body, _call, extra) {
      const paged = config.enableSplitMetadata && ['dataVersion', 'groupSeq', 'maxGroupNum'].some((n) => extra.has(n));
      const page = paged
        ? pageOf(groups, header.dataVersion, header.groupSeq, header.maxGroupNum, config.splitMetadataSize)
        : groups.sortedRows();
      const forbidden = groups.forbiddenJson(new Set(page.map(([name]) => name)));
      const fields = { totalGroupNum: groups.size };
      const text = listed(
        `{"dataVersion":${writeLooseJson(groups.version)},"forbiddenTable":${forbidden},"subscriptionGroupTable":{`,
        membersOf(page),
        '}}',
      );
      return { fields, body: await bytesInSlices(text, timers) };
    },

    getSubscriptiongroupConfig({ group: name }) {
      const group = groups.findOrCreate(name);
      if (group === undefined) {
        throw new ResponseError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `No group in this broker: ${name}`);
      }
      return { body: jsonBody(group) };
    },

    getConsumerConnectionList({ consumerGroup }) {
      const group = registry.consumerGroup(consumerGroup);
      if (group === undefined) {
        throw new ResponseError(ResponseCode.CONSUMER_NOT_ONLINE, `the consumer group[${consumerGroup}] not online`);
      }
      const { consumeType, messageModel, consumeFromWhere } = group;
      const subscriptionTable: Record<string, object> = {};
      for (const [topic, subscription] of group.subscriptions) {
        const { accepts: _, ...plain } = subscription;
        subscriptionTable[topic] = plain;
      }
      const connectionSet = [...group.clients.values()].map(connectionOf);
      return { body: jsonBody({ connectionSet, subscriptionTable, consumeType, messageModel, consumeFromWhere }) };
    },

    getProducerConnectionList({ producerGroup }) {
      const clients = registry.producers(producerGroup);
      if (clients === undefined) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `the producer group[${producerGroup}] not exist`);
      }
      return { body: jsonBody({ connectionSet: [...clients.values()].map(connectionOf) }) };
    },

    async getConsumeStats({ consumerGroup, topic, topicList }) {
      const names = topicsToReport(consumerGroup, topic, topicList);
      const consumeTps = names.reduce((sum, name) => sum + traffic.groupGetRate(consumerGroup, name), 0);
      const text = listed(`{"consumeTps":${consumeTps},"offsetTable":{`, progressOf(consumerGroup, names), '}}');
      return { body: await bytesInSlices(text, timers) };
    },

    queryTopicConsumeByWho({ topic }) {
      const groupList = new Set([...registry.subscribersOf(topic), ...offsets.groupsOf(topic)]);
      return { body: jsonBody({ groupList: [...groupList] }) };
    },
  };
}

function connectionOf({ peer, clientId, language, version }: Client): object {
  const clientAddr = peer.host.includes(':') ? `[${peer.host}]:${peer.port}` : `${peer.host}:${peer.port}`;
  return { clientAddr, clientId, language, version };
}
