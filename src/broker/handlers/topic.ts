/** Topics: created and changed (17), deleted (215), listed (21, 351), and what their queues hold (202). */
import { writeLooseJson } from '../../common/mod.ts';
import type { Timers } from '../../io/mod.ts';
import { checkTopicName } from '../../message/mod.ts';
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';
import { changeAttributes, parseAttributeChanges, topicAttributes } from '../attributes.ts';
import type { ConsumerOffsets } from '../consumer-offsets.ts';
import { pageOf } from '../pages.ts';
import { bytesInSlices, listed, membersOf } from '../slices.ts';
import { configOf, type Topic, type TopicConfig } from '../topic.ts';
import type { Topics } from '../topics.ts';
import type { Traffic } from '../traffic.ts';

type TopicCommand =
  | 'updateAndCreateTopic'
  | 'deleteTopicInBroker'
  | 'getAllTopicConfig'
  | 'getTopicConfig'
  | 'getTopicStatsInfo';

export function topicHandlers(parts: {
  readonly store: Pick<MessageStore, 'minOffset' | 'maxOffset' | 'timestampAt' | 'deleteTopic'>;
  readonly topics: Topics;
  readonly offsets: ConsumerOffsets;
  readonly traffic: Pick<Traffic, 'topicPutRate'>;
  readonly timers: Timers;
  readonly brokerName: string;
  readonly config: {
    readonly validateSystemTopicWhenUpdateTopic: boolean;
    readonly enableMixedMessageType: boolean;
    readonly clearRetryTopicWhenDeleteTopic: boolean;
    readonly enableSplitMetadata: boolean;
    readonly splitMetadataSize: number;
  };
}): HandlersOf<'broker', TopicCommand> {
  const { store, topics, offsets, traffic, timers, brokerName, config } = parts;

  function refuseSystemTopic(topic: string): void {
    if (config.validateSystemTopicWhenUpdateTopic && topics.isSystem(topic)) {
      throw new ResponseError(ResponseCode.INVALID_PARAMETER, `The topic[${topic}] is conflict with system topic.`);
    }
  }

  async function* statsOf({ topicName, queueNums }: Topic): AsyncIterable<string> {
    for (let queueId = 0; queueId < queueNums; queueId++) {
      const minOffset = store.minOffset(topicName, queueId);
      const maxOffset = store.maxOffset(topicName, queueId);
      const newest = maxOffset > minOffset ? await store.timestampAt(topicName, queueId, maxOffset - 1) : 0;
      const row = { minOffset, maxOffset, lastUpdateTimestamp: Math.max(0, newest) };
      yield `${writeLooseJson({ brokerName, queueId, topic: topicName })}:${writeLooseJson(row)}`;
    }
  }

  return {
    async updateAndCreateTopic(header) {
      const name = header.topic;
      const problem = checkTopicName(name);
      if (problem !== undefined) throw new ResponseError(ResponseCode.INVALID_PARAMETER, problem);
      refuseSystemTopic(name);
      const { readQueueNums, writeQueueNums, perm } = header;
      if (readQueueNums < 0 || writeQueueNums < 0 || perm < 0 || perm > 15) {
        throw new ResponseError(
          ResponseCode.INVALID_PARAMETER,
          `readQueueNums ${readQueueNums}, writeQueueNums ${writeQueueNums} or perm ${perm} is out of range`,
        );
      }
      const refusal = topics.roomRefusal(name, Math.max(readQueueNums, writeQueueNums));
      if (refusal !== undefined) throw new ResponseError(ResponseCode.SYSTEM_ERROR, refusal);
      const current = topics.get(name);
      const changes = parseAttributeChanges(header.attributes);
      if (typeof changes === 'string') throw new ResponseError(ResponseCode.SYSTEM_ERROR, changes);
      if (changes['+message.type'] === 'MIXED' && !config.enableMixedMessageType) {
        throw new ResponseError(ResponseCode.INVALID_PARAMETER, 'MIXED message type is not supported.');
      }
      if (changes['+queue.type'] === 'BatchCQ' || changes['+cleanup.policy'] === 'COMPACTION') {
        throw new ResponseError(
          ResponseCode.INVALID_PARAMETER,
          'queue.type=BatchCQ and cleanup.policy=COMPACTION are not served by this version',
        );
      }
      const attributes = changeAttributes(topicAttributes, current?.attributes, changes);
      if (typeof attributes === 'string') throw new ResponseError(ResponseCode.SYSTEM_ERROR, attributes);
      const wanted: TopicConfig = {
        topicName: name,
        readQueueNums,
        writeQueueNums,
        perm,
        topicFilterType: header.topicFilterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
        topicSysFlag: header.topicSysFlag ?? 0,
        order: header.order,
        attributes,
      };
      if (current !== undefined && writeLooseJson(configOf(current)) === writeLooseJson(wanted)) return {};
      await topics.put(wanted);
      return {};
    },

    async deleteTopicInBroker({ topic }) {
      if (topic.trim() === '') {
        throw new ResponseError(ResponseCode.INVALID_PARAMETER, 'The specified topic is blank.');
      }
      refuseSystemTopic(topic);
      const doomed = [topic];
      if (config.clearRetryTopicWhenDeleteTopic) {
        for (const group of offsets.groupsOf(topic)) {
          for (const retry of [`%RETRY%${group}+${topic}`, `%RETRY%${group}_${topic}`]) {
            if (topics.get(retry) !== undefined) doomed.push(retry);
          }
        }
      }
      for (const name of doomed) {
        await topics.delete(name);
        offsets.forgetTopic(name);
        await store.deleteTopic(name);
      }
      return {};
    },

    async getAllTopicConfig(header, _body, _call, extra) {
      const paged = config.enableSplitMetadata && ['dataVersion', 'topicSeq', 'maxTopicNum'].some((n) => extra.has(n));
      const page = paged
        ? pageOf(topics, header.dataVersion, header.topicSeq, header.maxTopicNum, config.splitMetadataSize)
        : topics.sortedRows();
      const version = writeLooseJson(topics.version);
      const fields = { totalTopicNum: topics.size };
      const text = listed(
        `{"dataVersion":${version},"mappingDataVersion":${version},"topicConfigTable":{`,
        membersOf(page),
        '},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}',
      );
      return { fields, body: await bytesInSlices(text, timers) };
    },

    getTopicConfig({ topic: name }) {
      const topic = topics.get(name);
      if (topic === undefined) {
        throw new ResponseError(ResponseCode.TOPIC_NOT_EXIST, `No topic in this broker. topic: ${name}`);
      }
      return { body: Buffer.from(topic.json, 'utf8') };
    },

    async getTopicStatsInfo({ topic: name }) {
      const topic = topics.get(name);
      if (topic === undefined) throw new ResponseError(ResponseCode.TOPIC_NOT_EXIST, `topic[${name}] not exist`);
      const text = listed('{"offsetTable":{', statsOf(topic), `},"topicPutTps":${traffic.topicPutRate(name)}}`);
      return { body: await bytesInSlices(text, timers) };
    },
  };
}
