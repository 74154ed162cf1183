/** The name server's keys (namesrv.properties): Apache's names, defaults and units. */
import { type ConfigReading, type ConfigRow, type ConfigValues, readConfig } from '../common/mod.ts';

const noThreads = 'requests run on one event loop, there are no thread pools to size';
const notNetty = 'Netty is not used; the limits of connections are built in';

const unused = { mutable: false, doc: 'Read for compatibility.' } as const;

function unusedNumber<const Name extends string>(name: Name, value: number, reason: string) {
  return { ...unused, name, kind: 'i32', default: value, status: { accepted: reason } } as const;
}

function unusedSwitch<const Name extends string>(name: Name, value: boolean, reason: string) {
  return { ...unused, name, kind: 'bool', default: value, status: { accepted: reason } } as const;
}

export const nameServerConfigRows = [
  {
    name: 'listenPort',
    kind: 'i32',
    default: 9876,
    min: 0,
    max: 65_535,
    mutable: false,
    status: 'supported',
    doc: 'Port of the name server; 0 lets the system choose.',
  },
  {
    name: 'bindAddress',
    kind: 'text',
    default: '0.0.0.0',
    mutable: false,
    status: 'supported',
    doc: 'Address or host name to listen on.',
  },
  {
    name: 'kvConfigPath',
    kind: 'text',
    default: 'namesrv/kvConfig.json',
    mutable: false,
    status: 'supported',
    doc: 'File of the KV configuration. The command line puts it below ~, or below the data directory.',
  },
  {
    name: 'configStorePath',
    kind: 'text',
    default: 'namesrv/namesrv.properties',
    mutable: false,
    status: 'supported',
    doc: 'File that run-time changes are written to: the one given with -c, or beside kvConfig.json.',
  },
  {
    name: 'configBlackList',
    kind: 'text',
    default: 'configBlackList;configStorePath;kvConfigPath',
    mutable: false,
    status: 'supported',
    doc: 'Further keys, separated by semicolons, that may not be changed at run time (code 16).',
  },
  {
    name: 'orderMessageEnable',
    kind: 'bool',
    default: false,
    mutable: true,
    status: 'supported',
    doc: 'Routes carry the order configuration of their topic.',
  },
  {
    name: 'returnOrderTopicConfigToBroker',
    kind: 'bool',
    default: true,
    mutable: true,
    status: 'supported',
    doc: 'Brokers get the order configuration in answer to their registration.',
  },
  {
    name: 'scanNotActiveBrokerInterval',
    kind: 'i64',
    unit: 'ms',
    default: 5000,
    min: 10,
    max: 3_600_000,
    mutable: false,
    status: 'supported',
    doc: 'How often silent brokers are looked for.',
  },
  {
    name: 'unRegisterBrokerQueueCapacity',
    kind: 'i32',
    default: 3000,
    min: 1,
    mutable: true,
    status: 'supported',
    doc: 'Departures and registrations that may wait; over it unregistrations are refused.',
  },
  {
    name: 'supportActingMaster',
    kind: 'bool',
    default: false,
    mutable: true,
    status: 'supported',
    doc: 'A slave that acts for a lost master is shown as the master.',
  },
  {
    name: 'enableAllTopicList',
    kind: 'bool',
    default: true,
    mutable: true,
    status: 'supported',
    doc: 'Whether the list of all topics is answered.',
  },
  {
    name: 'enableTopicList',
    kind: 'bool',
    default: true,
    mutable: true,
    status: 'supported',
    doc: 'Whether the lists of topics by cluster and unit are answered.',
  },
  {
    name: 'notifyMinBrokerIdChanged',
    kind: 'bool',
    default: false,
    mutable: true,
    status: 'supported',
    doc: 'Members of a group are told when its lowest broker id changes.',
  },
  {
    name: 'needWaitForService',
    kind: 'bool',
    default: false,
    mutable: true,
    status: 'supported',
    doc: 'Routes are refused until waitSecondsForService after the start.',
  },
  {
    name: 'waitSecondsForService',
    kind: 'i32',
    unit: 's',
    default: 45,
    min: 0,
    mutable: true,
    status: 'supported',
    doc: 'See needWaitForService.',
  },
  {
    name: 'deleteTopicWithBrokerRegistration',
    kind: 'bool',
    default: false,
    mutable: true,
    status: 'supported',
    doc: 'Topics missing in a registration go; only together with enableSingleTopicRegister of the brokers.',
  },
  {
    name: 'enableControllerInNamesrv',
    kind: 'bool',
    default: false,
    mutable: false,
    status: {
      refused: 'the controller role is not part of this version; run the controller of Apache RocketMQ beside it',
    },
    doc: 'Starts a controller in the same process.',
  },
  {
    name: 'clusterTest',
    kind: 'bool',
    default: false,
    mutable: false,
    status: { refused: 'routes of unknown topics are not asked from another environment' },
    doc: 'Test environments fall back to routes of productEnvName.',
  },
  {
    name: 'productEnvName',
    kind: 'text',
    default: 'center',
    mutable: false,
    status: { accepted: 'it belongs to clusterTest' },
    doc: 'See clusterTest.',
  },
  {
    name: 'rocketmqHome',
    kind: 'text',
    default: '',
    mutable: false,
    status: { accepted: 'there is no installation directory' },
    doc: 'Directory of an Apache RocketMQ installation.',
  },
  unusedNumber('clientRequestThreadPoolNums', 8, noThreads),
  unusedNumber('defaultThreadPoolNums', 16, noThreads),
  unusedNumber('clientRequestThreadPoolQueueCapacity', 50_000, noThreads),
  unusedNumber('defaultThreadPoolQueueCapacity', 10_000, noThreads),
  unusedNumber('serverWorkerThreads', 8, noThreads),
  unusedNumber('serverCallbackExecutorThreads', 0, noThreads),
  unusedNumber('serverSelectorThreads', 3, noThreads),
  unusedNumber('serverOnewaySemaphoreValue', 256, notNetty),
  unusedNumber('serverAsyncSemaphoreValue', 64, notNetty),
  unusedNumber('serverChannelMaxIdleTimeSeconds', 120, notNetty),
  unusedNumber('serverSocketSndBufSize', 0, notNetty),
  unusedNumber('serverSocketRcvBufSize', 0, notNetty),
  unusedNumber('writeBufferHighWaterMark', 0, notNetty),
  unusedNumber('writeBufferLowWaterMark', 0, notNetty),
  unusedNumber('serverSocketBacklog', 1024, notNetty),
  unusedNumber('shutdownWaitTimeSeconds', 30, notNetty),
  unusedSwitch('serverNettyWorkerGroupEnable', true, notNetty),
  unusedSwitch('serverPooledByteBufAllocatorEnable', true, notNetty),
  unusedSwitch('enableShutdownGracefully', false, notNetty),
  unusedSwitch('useEpollNativeSelector', false, notNetty),
] as const satisfies readonly ConfigRow[];

export type NameServerConfig = ConfigValues<typeof nameServerConfigRows>;

/** Reads a namesrv.properties, already taken apart; absent keys get Apache's defaults. */
export function readNameServerConfig(
  properties: ReadonlyMap<string, string>,
): ConfigReading<typeof nameServerConfigRows> {
  return readConfig(nameServerConfigRows, properties);
}
