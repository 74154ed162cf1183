import { Heap } from '../common/mod.ts';
import type { Endpoint, Env } from '../io/mod.ts';
import { createUniqueKeys, OffsetMessageIds, parseDelayLevels } from '../message/mod.ts';
import {
  createRemotingClient,
  type RemotingServer,
  type RemotingServerStats,
  startRemotingServer,
} from '../remoting/mod.ts';
import { type MessageStore, openStore, type StoreHealth } from '../store/mod.ts';
import { checkAdvertisedAddress, findAdvertisedAddress } from './advertised-address.ts';
import { ClientRegistry } from './client-registry.ts';
import { type BrokerConfig, brokerRows } from './config.ts';
import { ConsumerOffsets } from './consumer-offsets.ts';
import { type BrokerCounters, createCounters } from './counters.ts';
import { firstVersion } from './data-version.ts';
import { DelayedDelivery } from './delayed-delivery.ts';
import { descriptorRefusal, reportDescriptors } from './descriptors.ts';
import { clientHandlers } from './handlers/client.ts';
import { groupHandlers } from './handlers/group.ts';
import { lockHandlers } from './handlers/locks.ts';
import { offsetHandlers } from './handlers/offsets.ts';
import { pullHandlers } from './handlers/pull.ts';
import { queryHandlers } from './handlers/query.ts';
import { sendHandlers } from './handlers/send.ts';
import { sendBackHandlers } from './handlers/send-back.ts';
import { statusHandlers } from './handlers/status.ts';
import { topicHandlers } from './handlers/topic.ts';
import { LongPolling } from './long-polling.ts';
import { MessageWriter } from './message-writer.ts';
import { NameServers } from './name-servers.ts';
import { QueueLocks } from './queue-locks.ts';
import { Registration } from './registration.ts';
import { SubscriptionGroups } from './subscription-groups.ts';
import type { Topic, TopicCounters } from './topic.ts';
import { Topics } from './topics.ts';
import { Traffic } from './traffic.ts';

export interface BrokerStats {
  readonly counters: Readonly<BrokerCounters>;
  /** Those with most messages in and out, at most `statsTopicsMax`. */
  readonly topics: readonly (Readonly<TopicCounters> & { readonly topic: string })[];
  readonly topicCount: number;
  readonly groupCount: number;
  readonly producerCount: number;
  readonly consumerCount: number;
  /** Pulls that wait for messages. */
  readonly heldPulls: number;
  readonly store: StoreHealth;
  readonly remoting: RemotingServerStats;
}

export interface Broker {
  readonly brokerName: string;
  /** What it listens on; the ports are the real ones where port 0 was asked for. */
  readonly listening: RemotingServer['listening'];
  /** `host:port` that clients are told. */
  readonly advertised: string;
  readonly nameServers: readonly string[];
  /** Whether at least one of them knows this broker. */
  readonly registered: boolean;
  /** Cheap, where `stats` looks at every topic. */
  health(): StoreHealth;
  stats(): BrokerStats;
  /** Idempotent. Sends clients elsewhere, leaves the name servers, answers what is under way, and closes the store cleanly. */
  close(): Promise<void>;
}

const statsTopicsMax = 200;
/** What a disk refused is tried again as often. */
const saveAgainPeriodMs = 1000;
const lockSweepPeriodMs = 60_000;

/**
 * A broker over one store directory. Rejects when the configuration forbids the start, the directory cannot be used, a
 * state file cannot be read, or a port is taken; nothing is left open then.
 */
export async function startBroker(env: Env, options: { config: BrokerConfig }): Promise<Broker> {
  const { clock, timers, disk, network, random, host, log } = env;
  const { config } = options;
  const undo: (() => Promise<void> | void)[] = [];

  async function assemble(): Promise<Broker> {
    const brokerName = config.brokerName || host.hostname;
    const clusterName = config.brokerClusterName;
    const delayLevelsMs = parseDelayLevels(config.messageDelayLevel);
    if (delayLevelsMs === undefined) {
      throw new Error(`messageDelayLevel=${config.messageDelayLevel}: must be a list such as 1s 5s 10m 2h`);
    }
    const address = await findAdvertisedAddress(config.brokerIP1, config.bindAddress, { host, network });
    const listen = await endpointOf(env, config);
    reportDescriptors(env);
    const messageIds = new OffsetMessageIds(address.ip, listen.port);

    const store: MessageStore = await openStore({
      disk,
      timers,
      clock,
      host,
      log,
      config,
      storeHost: { ip: address.ip, port: listen.port },
    });
    undo.push(() => store.close());

    const state = `${config.storePathRootDir}/config`;
    const ports = { disk, clock, timers, log };
    const topics = await Topics.open(
      {
        clusterName,
        brokerName,
        autoCreate: config.autoCreateTopicEnable,
        defaultQueueNums: config.defaultTopicQueueNums,
        clusterTopicEnable: config.clusterTopicEnable,
        brokerTopicEnable: config.brokerTopicEnable,
        traceTopic: config.traceTopicEnable ? config.msgTraceTopicName : undefined,
        reviveQueueNums: config.reviveQueueNum,
      },
      ports,
      `${state}/topics.json`,
      () => descriptorRefusal(env),
    );
    const groups = await SubscriptionGroups.open(config, ports, `${state}/subscriptionGroup.json`);
    const offsets = await ConsumerOffsets.open(
      config.consumerOffsetUpdateVersionStep,
      ports,
      `${state}/consumerOffset.json`,
    );
    offsets.clamp((topic, queueId) => store.maxOffset(topic, queueId));

    const counters = createCounters();
    const utcOffsetMinutes = (wallMs: number) => host.utcOffsetMinutes(wallMs);
    const traffic = new Traffic(counters, topics, { clock, timers, utcOffsetMinutes });
    undo.push(() => traffic.close());
    const locks = new QueueLocks(clock);
    const registry = new ClientRegistry(config, { clock, timers, log });
    undo.push(() => registry.close());
    const polling = new LongPolling({ clock, timers }, (topic, queueId) => store.maxOffset(topic, queueId));
    undo.push(() => polling.close());
    store.onArrival((topic, queueId, offset, tagsCode) => polling.arrived(topic, queueId, offset, tagsCode));
    const writer = new MessageWriter(store, clock, delayLevelsMs);
    const delayed = await DelayedDelivery.start(
      { store, writer, counters, clock, timers, disk, log, levelsMs: delayLevelsMs },
      `${state}/delayOffset.json`,
    );
    undo.push(() => delayed.close());
    const uniqueKeys = createUniqueKeys({
      ip: address.ip,
      pid: host.pid,
      random,
      clock,
      utcOffset: utcOffsetMinutes,
    });

    const server = await startRemotingServer({
      network,
      timers,
      clock,
      log,
      host,
      listen,
      vip: config.listenPort > 2 ? { host: listen.host, port: config.listenPort - 2 } : undefined,
      role: 'broker',
      limits: { idleTimeoutMs: config.serverChannelMaxIdleTimeSeconds * 1000 },
      handlers: {
        ...sendHandlers({
          store,
          writer,
          topics,
          groups,
          locks,
          counters,
          uniqueKeys,
          messageIds,
          clock,
          random,
          config,
        }),
        ...pullHandlers({ store, topics, groups, registry, offsets, polling, counters, traffic, log, config }),
        ...offsetHandlers({ store, topics, groups, offsets }),
        ...clientHandlers({ registry, topics, groups, log, config }),
        ...lockHandlers(locks),
        ...sendBackHandlers({ store, writer, topics, groups, counters, messageIds, random, config }),
        ...topicHandlers({ store, topics, offsets, traffic, timers, brokerName, config }),
        ...groupHandlers({ store, topics, groups, registry, offsets, traffic, timers, brokerName, config }),
        ...queryHandlers({ store, config }),
        ...statusHandlers({
          store,
          delayed,
          counters,
          traffic,
          clock,
          config,
          rows: brokerRows,
          version: firstVersion(clock),
        }),
      },
    });
    undo.push(() => server.close(0));

    const saveOffsets = () => {
      offsets
        .save()
        .catch((cause) => log.error('broker.offsets-not-saved', { cause }, 'cannot write consumerOffset.json'));
    };
    const repeating = [
      timers.every(config.flushConsumerOffsetInterval, saveOffsets),
      timers.every(saveAgainPeriodMs, () => void Promise.all([topics.saveAgain(), groups.saveAgain()])),
      timers.every(lockSweepPeriodMs, () => locks.sweep()),
    ];
    undo.push(() => {
      for (const timer of repeating) timer.cancel();
    });

    const client = createRemotingClient({ network, timers, clock, log, connectTimeoutMs: config.connectTimeoutMillis });
    undo.push(() => client.close());
    const nameServers = await NameServers.start(config, { network, timers, host, log });
    undo.push(() => nameServers.close());
    const advertised = `${address.host}:${listen.port}`;
    const registration = await Registration.start({
      client,
      nameServers,
      topics,
      clock,
      timers,
      random,
      log,
      identity: {
        clusterName,
        brokerName,
        address: advertised,
        haAddress: `${config.brokerIP2 || address.host}:${config.haListenPort || listen.port + 1}`,
      },
      config,
    });
    void checkAdvertisedAddress({ host: address.host, port: listen.port }, { network, log });
    log.info(
      'broker.started',
      { brokerName, advertised, nameServers: nameServers.addresses },
      `The broker[${brokerName}, ${advertised}] boot success.`,
    );

    let closing: Promise<void> | undefined;
    return {
      brokerName,
      listening: server.listening,
      advertised,
      get nameServers() {
        return nameServers.addresses;
      },
      get registered() {
        return registration.registered;
      },
      health: () => store.health(),
      stats: () => {
        const clients = registry.counts();
        return {
          counters: { ...counters },
          topics: busiest(topics),
          topicCount: topics.size,
          groupCount: groups.size,
          producerCount: clients.producers,
          consumerCount: clients.consumers,
          heldPulls: polling.size,
          store: store.health(),
          remoting: server.stats(),
        };
      },
      close: () => (closing ??= close()),
    };

    async function close(): Promise<void> {
      server.goAway();
      await registration.unregister();
      nameServers.close();
      polling.close();
      await server.close(config.shutdownWaitTimeSeconds * 1000);
      registry.close();
      traffic.close();
      for (const timer of repeating) timer.cancel();
      await client.close();
      await Promise.allSettled([delayed.close(), topics.save(), groups.save(), offsets.save()]).then((results) => {
        for (const { status, ...rest } of results) {
          if (status === 'rejected') log.error('broker.state-not-saved', rest, 'a state file could not be written');
        }
      });
      await store.close();
      log.info('broker.stopped', { brokerName }, `The broker[${brokerName}] has stopped.`);
    }
  }

  try {
    return await assemble();
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** With a real port: records carry it, so that it must be known before the store opens. */
async function endpointOf({ network }: Pick<Env, 'network'>, config: BrokerConfig): Promise<Endpoint> {
  const endpoint = { host: config.bindAddress, port: config.listenPort };
  if (endpoint.port !== 0) return endpoint;
  const probe = await network.listen(endpoint, (connection) => connection.destroy());
  await probe.close();
  return { host: config.bindAddress, port: probe.local.port };
}

function busiest(topics: Topics): BrokerStats['topics'] {
  const messages = ({ counters }: Topic) => counters.messagesIn + counters.messagesOut;
  const most = new Heap<Topic>((a, b) => messages(a) - messages(b));
  for (const topic of topics.all()) {
    const least = most.size < statsTopicsMax ? undefined : most.peek();
    if (messages(topic) <= (least === undefined ? 0 : messages(least))) continue;
    if (least !== undefined) most.pop();
    most.push(topic);
  }
  const names: BrokerStats['topics'][number][] = [];
  for (let topic = most.pop(); topic !== undefined; topic = most.pop()) {
    names.push({ topic: topic.topicName, ...topic.counters });
  }
  return names.reverse();
}
