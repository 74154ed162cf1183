/**
 * A name server and brokers for the client's tests: real remoting over the simulated network, the least of behaviour
 * behind it, in memory. Tests look into it and make it fail.
 */
import { parseLooseJson, writeLooseJson } from '../../src/common/mod.ts';
import {
  decodeBatch,
  decodeProperties,
  decodeRecord,
  encodeProperties,
  encodeRecord,
  offsetMessageId,
  recordSize,
  retryTopicOf,
} from '../../src/message/mod.ts';
import {
  type Call,
  type CommandName,
  type Handlers,
  type HeaderView,
  type Peer,
  type Reply,
  ResponseError,
  slotsOf,
  startRemotingServer,
} from '../../src/remoting/mod.ts';
import type { SimNode, SimWorld } from '../../src/testing/mod.ts';

const port = 10911;
const lockExpiryMs = 60_000;
const sendSlots = slotsOf('sendMessageV2');
const pullSlots = slotsOf('pullMessage');
const queryOffsetSlots = slotsOf('queryConsumerOffset');
const updateOffsetSlots = slotsOf('updateConsumerOffset');

interface HeartbeatBody {
  clientID: string;
  heartbeatFingerprint: number;
  withoutSub: boolean;
  consumerDataSet: { groupName: string; subscriptionDataSet: { topic: string; subString: string }[] }[];
  producerDataSet: { groupName: string }[];
}

interface QueueName {
  topic: string;
  brokerName: string;
  queueId: number;
}

export class FakeBroker {
  readonly name: string;
  readonly node: SimNode;
  /** Records by `topic queueId`. */
  readonly queues = new Map<string, Uint8Array[]>();
  /** By `group topic queueId`. */
  readonly offsets = new Map<string, number>();
  readonly consumers = new Map<string, Map<string, Peer>>();
  /** By `topic queueId`: the client's id, and when it asked last. */
  readonly locks = new Map<string, { clientId: string; lockedMs: number }>();
  readonly heartbeats: HeartbeatBody[] = [];
  readonly sentBack: { group: string; delayLevel: number; messageId: string }[] = [];
  readonly unregistered: string[] = [];
  readonly dead: string[] = [];
  /** Commands to refuse: the code, as often as it is in the list. */
  readonly refusals = new Map<CommandName, number[]>();
  readonly asked = new Map<CommandName, number>();
  knowsHeartbeatV2 = true;
  /** The code of send answers: 0, or one of those that mean "stored, but". */
  lateStatus = 0;
  #waiting: (() => void)[] = [];
  #physicalOffset = 0;

  constructor(name: string, node: SimNode) {
    this.name = name;
    this.node = node;
  }

  get address(): string {
    return `${this.node.address}:${port}`;
  }

  async start(): Promise<void> {
    const { network, timers, clock, log } = this.node.env;
    const handlers = Object.fromEntries(
      Object.entries(this.#handlers()).map(([name, handler]) => [name, this.#watched(name as CommandName, handler)]),
    ) as unknown as Handlers<'broker'>;
    const listen = { host: '0.0.0.0', port };
    await startRemotingServer({ network, timers, clock, log, listen, role: 'broker', handlers });
  }

  records(topic: string, queueId: number): Uint8Array[] {
    const key = `${topic} ${queueId}`;
    const known = this.queues.get(key);
    if (known !== undefined) return known;
    const records: Uint8Array[] = [];
    this.queues.set(key, records);
    return records;
  }

  bodies(topic: string, queueCount: number): string[] {
    return Array.from({ length: queueCount }, (_, queueId) => this.records(topic, queueId))
      .flat()
      .map((record) => Buffer.from(decodeRecord(record, 0).body).toString());
  }

  /** What a broker forgets when it is started anew. */
  forgetClients(): void {
    this.consumers.clear();
    this.locks.clear();
  }

  notifyConsumers(group: string): void {
    for (const peer of this.consumers.get(group)?.values() ?? []) {
      peer.notify('notifyConsumerIdsChanged', { consumerGroup: group });
    }
  }

  /** Stores a message and gives its queue offset. */
  store(message: {
    topic: string;
    queueId: number;
    body: Uint8Array;
    properties: Uint8Array;
    flag?: number;
    sysFlag?: number;
    reconsumeTimes?: number;
  }): { queueOffset: number; offsetMessageId: string } {
    const records = this.records(message.topic, message.queueId);
    const ip = Uint8Array.from(this.node.address.split('.').map(Number));
    const topic = Buffer.from(message.topic);
    const bytes = Buffer.alloc(
      recordSize({
        bornIp: ip,
        storeIp: ip,
        body: message.body,
        topic,
        properties: message.properties,
      }),
    );
    encodeRecord(bytes, 0, {
      queueId: message.queueId,
      flag: message.flag ?? 0,
      queueOffset: records.length,
      physicalOffset: this.#physicalOffset,
      sysFlag: message.sysFlag ?? 0,
      bornTimestampMs: 0,
      bornIp: ip,
      bornPort: 1,
      storeTimestampMs: this.node.clock.wallMs(),
      storeIp: ip,
      storePort: port,
      reconsumeTimes: message.reconsumeTimes ?? 0,
      preparedTransactionOffset: 0,
      body: message.body,
      topic,
      properties: message.properties,
    });
    const id = offsetMessageId(ip, port, this.#physicalOffset);
    this.#physicalOffset += bytes.length;
    records.push(bytes);
    for (const wake of this.#waiting.splice(0)) wake();
    return { queueOffset: records.length - 1, offsetMessageId: id };
  }

  #watched(name: CommandName, handler: unknown): unknown {
    return (...parameters: unknown[]) => {
      this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
      const code = this.refusals.get(name)?.shift();
      if (code !== undefined) throw new ResponseError(code, 'the test wants it so');
      return (handler as (...parameters: unknown[]) => unknown)(...parameters);
    };
  }

  #handlers() {
    return {
      sendMessageV2: (header: HeaderView, body: Uint8Array) => {
        const stored = this.store({
          topic: header.text(sendSlots.topic),
          queueId: header.i32(sendSlots.queueId),
          flag: header.i32(sendSlots.flag),
          body,
          properties: Buffer.from(header.text(sendSlots.properties)),
        });
        return this.#sent(header.i32(sendSlots.queueId), stored.queueOffset, stored.offsetMessageId);
      },
      sendBatchMessage: (header: HeaderView, body: Uint8Array) => {
        const queueId = header.i32(sendSlots.queueId);
        const topic = header.text(sendSlots.topic);
        const stored = decodeBatch(body).map((message) => this.store({ topic, queueId, ...message }));
        const ids = stored.map(({ offsetMessageId: id }) => id).join(',');
        return this.#sent(queueId, stored[0].queueOffset, ids);
      },
      pullMessage: (header: HeaderView, _body: Uint8Array, call: Call<'pullMessage'>) => {
        const pull = {
          topic: header.text(pullSlots.topic),
          queueId: header.i32(pullSlots.queueId),
          offset: header.i64(pullSlots.queueOffset),
          maxCount: header.i32(pullSlots.maxMsgNums),
          suspendMs: header.i64(pullSlots.suspendTimeoutMillis),
        };
        const reply = this.#pulled(pull);
        if (reply.code !== 19 || pull.suspendMs === 0) return reply;
        let answered = false;
        const answer = () => {
          if (!answered) call.reply(this.#pulled(pull));
          answered = true;
        };
        this.#waiting.push(answer);
        this.node.env.timers.after(pull.suspendMs, answer);
        return undefined;
      },
      queryConsumerOffset: (header: HeaderView) => {
        const group = header.text(queryOffsetSlots.consumerGroup);
        const key = `${group} ${header.text(queryOffsetSlots.topic)} ${header.i32(queryOffsetSlots.queueId)}`;
        const offset = this.offsets.get(key);
        return offset === undefined ? { code: 22 } : { fields: { offset } };
      },
      updateConsumerOffset: (header: HeaderView) => {
        const group = header.text(updateOffsetSlots.consumerGroup);
        const key = `${group} ${header.text(updateOffsetSlots.topic)} ${header.i32(updateOffsetSlots.queueId)}`;
        this.offsets.set(key, header.i64(updateOffsetSlots.commitOffset));
        return {};
      },
      getMaxOffset: ({ topic, queueId }: QueueName) => ({ fields: { offset: this.records(topic, queueId).length } }),
      getMinOffset: () => ({ fields: { offset: 0 } }),
      searchOffsetByTimestamp: ({ topic, queueId, timestamp }: QueueName & { timestamp: number }) => {
        const records = this.records(topic, queueId).map((record) => decodeRecord(record, 0));
        const offset = records.findIndex((record) => record.storeTimestampMs >= timestamp);
        return { fields: { offset: offset < 0 ? records.length : offset } };
      },
      heartBeat: (_header: object, body: Uint8Array, call: Call<'heartBeat'>) => {
        const beat = parseLooseJson(Buffer.from(body).toString()) as unknown as HeartbeatBody;
        this.heartbeats.push(beat);
        const isLost = beat.withoutSub && beat.consumerDataSet.some(({ groupName }) => !this.consumers.has(groupName));
        if (!isLost) for (const { groupName } of beat.consumerDataSet) this.#join(groupName, beat.clientID, call.peer);
        return { extra: { IS_SUPPORT_HEART_BEAT_V2: String(this.knowsHeartbeatV2), IS_SUB_CHANGE: String(isLost) } };
      },
      unregisterClient: ({ clientID, consumerGroup }: { clientID: string; consumerGroup?: string }) => {
        this.unregistered.push(`${clientID} ${consumerGroup ?? ''}`);
        if (consumerGroup === undefined) return {};
        this.consumers.get(consumerGroup)?.delete(clientID);
        this.notifyConsumers(consumerGroup);
        return {};
      },
      getConsumerListByGroup: ({ consumerGroup }: { consumerGroup: string }) => {
        const consumerIdList = [...(this.consumers.get(consumerGroup)?.keys() ?? [])];
        if (consumerIdList.length === 0) return { code: 1, remark: 'no consumer for this group' };
        return { body: Buffer.from(writeLooseJson({ consumerIdList })) };
      },
      lockBatchMq: (_header: object, body: Uint8Array) => {
        const request = parseLooseJson(Buffer.from(body).toString()) as unknown as {
          clientId: string;
          mqSet: QueueName[];
        };
        const granted = request.mqSet.filter((queue) => {
          const key = `${queue.topic} ${queue.queueId}`;
          const nowMs = this.node.clock.monotonicMs();
          const lock = this.locks.get(key);
          if (lock !== undefined && lock.clientId !== request.clientId && nowMs - lock.lockedMs < lockExpiryMs)
            return false;
          this.locks.set(key, { clientId: request.clientId, lockedMs: nowMs });
          return true;
        });
        return { body: Buffer.from(writeLooseJson({ lockOKMQSet: granted })) };
      },
      unlockBatchMq: (_header: object, body: Uint8Array) => {
        const request = parseLooseJson(Buffer.from(body).toString()) as unknown as {
          clientId: string;
          mqSet: QueueName[];
        };
        for (const queue of request.mqSet) {
          const key = `${queue.topic} ${queue.queueId}`;
          if (this.locks.get(key)?.clientId === request.clientId) this.locks.delete(key);
        }
        return {};
      },
      consumerSendMsgBack: (header: {
        offset: number;
        group: string;
        delayLevel: number;
        originMsgId: string;
        maxReconsumeTimes: number;
      }) => {
        const { group, delayLevel, originMsgId: messageId } = header;
        this.sentBack.push({ group, delayLevel, messageId });
        const original = [...this.queues.values()].flat().map((record) => decodeRecord(record, 0));
        const found = original.find((record) => record.physicalOffset === header.offset);
        if (found === undefined) throw new ResponseError(1, 'no such message');
        if (delayLevel < 0 || found.reconsumeTimes >= header.maxReconsumeTimes) {
          this.dead.push(messageId);
          return {};
        }
        const properties = decodeProperties(found.properties);
        if (!properties.has('RETRY_TOPIC')) properties.set('RETRY_TOPIC', found.topic);
        this.node.env.timers.after(10_000, () =>
          this.store({
            topic: retryTopicOf(group),
            queueId: 0,
            body: found.body,
            properties: Buffer.from(encodeProperties(properties)),
            reconsumeTimes: found.reconsumeTimes + 1,
          }),
        );
        return {};
      },
    };
  }

  #sent(queueId: number, queueOffset: number, msgId: string): Reply<'sendMessageV2'> {
    return { code: this.lateStatus, fields: { msgId, queueId, queueOffset } };
  }

  #pulled(pull: { topic: string; queueId: number; offset: number; maxCount: number }): Reply<'pullMessage'> {
    const records = this.records(pull.topic, pull.queueId);
    const fields = { suggestWhichBrokerId: 0, minOffset: 0, maxOffset: records.length };
    if (pull.offset > records.length) return { code: 21, fields: { ...fields, nextBeginOffset: records.length } };
    const found = records.slice(pull.offset, pull.offset + pull.maxCount);
    const nextBeginOffset = pull.offset + found.length;
    if (found.length === 0) return { code: 19, fields: { ...fields, nextBeginOffset } };
    return { fields: { ...fields, nextBeginOffset }, body: Buffer.concat(found) };
  }

  #join(group: string, clientId: string, peer: Peer): void {
    const members = this.consumers.get(group) ?? new Map<string, Peer>();
    this.consumers.set(group, members);
    if (members.get(clientId) === peer) return;
    members.set(clientId, peer);
    this.notifyConsumers(group);
    peer.onClose(() => {
      if (members.get(clientId) !== peer) return;
      members.delete(clientId);
      this.notifyConsumers(group);
    });
  }
}

export interface FakeCluster {
  brokers: FakeBroker[];
  nameServers: string[];
  /** Topic → queues at each broker; tests may change it. */
  topics: Map<string, number>;
}

export async function startFakeCluster(
  world: SimWorld,
  shape: { brokerNames?: string[]; topics?: Record<string, number>; nameServerCount?: number },
): Promise<FakeCluster> {
  const brokers = (shape.brokerNames ?? ['a']).map((name) => new FakeBroker(name, world.node(`broker-${name}`)));
  const topics = new Map(Object.entries(shape.topics ?? { T: 4 }));
  for (const broker of brokers) await broker.start();
  const nameServers: string[] = [];
  for (let i = 0; i < (shape.nameServerCount ?? 1); i++) {
    const node = world.node(`namesrv-${i}`);
    const { network, timers, clock, log } = node.env;
    const handlers = {
      getRouteinfoByTopic: ({ topic }: { topic: string }) => {
        const count = topics.get(topic);
        if (count === undefined)
          throw new ResponseError(17, `No topic route info in name server for the topic: ${topic}`);
        return { body: Buffer.from(routeJson(brokers, count)) };
      },
    } as unknown as Handlers<'namesrv'>;
    await startRemotingServer({
      network,
      timers,
      clock,
      log,
      listen: { host: '0.0.0.0', port: 9876 },
      role: 'namesrv',
      handlers,
    });
    nameServers.push(`${node.address}:9876`);
  }
  return { brokers, nameServers, topics };
}

function routeJson(brokers: readonly FakeBroker[], count: number): string {
  const alive = brokers.filter(({ node }) => node.process.alive);
  return writeLooseJson({
    brokerDatas: alive.map(({ name, address }) => ({
      brokerName: name,
      cluster: 'c',
      brokerAddrs: new Map([[0, address]]),
    })),
    queueDatas: alive.map(({ name }) => ({
      brokerName: name,
      perm: 6,
      readQueueNums: count,
      writeQueueNums: count,
      topicSysFlag: 0,
    })),
    filterServerTable: {},
  });
}
