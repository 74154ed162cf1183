/**
 * A broker for its own tests: real store, real remoting, simulated machine. Tests ask it as clients do, by the names of
 * commands.
 */
import { type Broker, readBrokerConfig, startBroker } from '../../src/broker/mod.ts';
import { decodeProperties, decodeRecord, type StoredMessage } from '../../src/message/mod.ts';
import {
  type CommandName,
  createRemotingClient,
  type PartialHandlers,
  type RemotingClient,
  type RequestOf,
  type Response,
} from '../../src/remoting/mod.ts';
import { type SimNode, SimWorld } from '../../src/testing/mod.ts';

export interface TestBroker {
  readonly world: SimWorld;
  readonly node: SimNode;
  /** The running one; another after `restart`. */
  readonly broker: Broker;
  readonly address: string;
  /** As a client on another machine. */
  ask<K extends CommandName>(name: K, header: RequestOf<K>, options?: Asking): Promise<Response<K>>;
  /** Another connection, which the broker may ask things over. */
  connect(handlers?: PartialHandlers<'client'>): RemotingClient;
  /** Sends one message and gives the answer. */
  send(message?: SendOptions): Promise<Response<'sendMessageV2'>>;
  /** Pulls with a subscription of its own, without waiting. */
  pull(header?: Partial<RequestOf<'pullMessage'>>): Promise<Response<'pullMessage'>>;
  /** Stops cleanly, or kills the process, and starts again on the same disk. */
  restart(how: 'stop' | 'kill', properties?: Readonly<Record<string, string>>): Promise<void>;
}

export interface Asking {
  body?: Uint8Array | string;
  extra?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

export interface SendOptions {
  topic?: string;
  queueId?: number;
  body?: string;
  properties?: Readonly<Record<string, string>> | string;
  header?: Partial<RequestOf<'sendMessageV2'>>;
}

/** What is in queue 0 of T, by a subscription of its own, without waiting. */
const plainPull: RequestOf<'pullMessage'> = {
  consumerGroup: 'g',
  topic: 'T',
  queueId: 0,
  queueOffset: 0,
  maxMsgNums: 32,
  sysFlag: 4,
  commitOffset: 0,
  suspendTimeoutMillis: 0,
  subscription: '*',
  subVersion: 0,
};

/** Waits for what comes behind the first message. */
export const heldPull: RequestOf<'pullMessage'> = {
  ...plainPull,
  queueOffset: 1,
  sysFlag: 6,
  suspendTimeoutMillis: 15_000,
};

const small: Readonly<Record<string, string>> = {
  storePathRootDir: '/store',
  brokerName: 'b',
  mappedFileSizeCommitLog: '1048576',
  mappedFileSizeConsumeQueue: '20000',
  maxHashSlotNum: '1000',
  maxIndexNum: '4000',
};

export function withBroker(
  run: (broker: TestBroker) => Promise<void>,
  options: { properties?: Readonly<Record<string, string>>; seed?: number } = {},
): () => Promise<void> {
  return async () => {
    const world = new SimWorld({ seed: options.seed ?? 1 });
    await world.run(async () => {
      const node = world.node('broker');
      let broker = await start(node, options.properties ?? {});
      const address = `${node.address}:10911`;
      const clients: RemotingClient[] = [];
      const connect = (handlers?: PartialHandlers<'client'>) => {
        const { network, timers, clock, log } = world.node('client').env;
        const client = createRemotingClient({ network, timers, clock, log, ...(handlers && { handlers }) });
        clients.push(client);
        return client;
      };
      const client = connect();
      const test: TestBroker = {
        world,
        node,
        get broker() {
          return broker;
        },
        address,
        connect,
        ask: (name, header, { body, ...more } = {}) =>
          client.request(address, name, header, { ...more, body: typeof body === 'string' ? Buffer.from(body) : body }),
        send: ({ topic = 'T', queueId = 0, body = 'hello', properties = {}, header = {} } = {}) =>
          test.ask(
            'sendMessageV2',
            {
              producerGroup: 'p',
              topic,
              defaultTopic: 'TBW102',
              defaultTopicQueueNums: 4,
              queueId,
              sysFlag: 0,
              bornTimestamp: 1,
              flag: 0,
              properties: typeof properties === 'string' ? properties : propertiesText(properties),
              ...header,
            },
            { body },
          ),
        pull: (header = {}) => test.ask('pullMessage', { ...plainPull, ...header }),
        restart: async (how, properties = options.properties ?? {}) => {
          if (how === 'stop') await broker.close();
          else {
            node.kill();
            node.restart();
          }
          broker = await start(node, properties);
        },
      };
      await run(test);
      for (const one of clients) await one.close();
      await broker.close();
    });
  };
}

async function start(node: SimNode, properties: Readonly<Record<string, string>>): Promise<Broker> {
  const { values, warnings, refusals } = readBrokerConfig(new Map(Object.entries({ ...small, ...properties })));
  if (warnings.length + refusals.length > 0) throw new Error([...warnings, ...refusals].join('; '));
  return await startBroker(node.env, { config: values });
}

export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}\u0001${value}\u0002`)
    .join('');
}

/** A record with its text parts as text. */
export interface ReadMessage extends StoredMessage {
  text: string;
  map: Map<string, string>;
}

export function messagesOf(response: { body: Uint8Array }): ReadMessage[] {
  const messages: ReadMessage[] = [];
  for (let at = 0; at < response.body.length; ) {
    const record = decodeRecord(response.body, at);
    messages.push({
      ...record,
      text: Buffer.from(record.body).toString(),
      map: decodeProperties(record.properties),
    });
    at += record.sizeBytes;
  }
  return messages;
}
