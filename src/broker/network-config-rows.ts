import type { ConfigRow } from '../common/mod.ts';
import { accepted, bool, i32, i64, refused, supported, text } from './config-row.ts';

const authLater = accepted('users and ACLs come in a later version');
const byteBudgets = accepted('byte budgets bound what waits');
const fewConnections = accepted('connections to name servers are few and managed by themselves');
const oneLoop = accepted('the sockets belong to one event loop');

/**
 * The keys of broker.conf that RocketMQ 5.5 hands to its network and access layers: NettyServerConfig,
 * NettyClientConfig and AuthConfig. (`listenPort` stands with the broker's own keys, since both read it.)
 */
export const networkConfigRows = [
  // Listening (NettyServerConfig)
  text('bindAddress', '0.0.0.0', supported, 'Address to listen on.'),
  i32('serverChannelMaxIdleTimeSeconds', 120, supported, 'A connection silent for this long is closed.', {
    unit: 's',
    min: 1,
  }),
  i32('serverWorkerThreads', 8, oneLoop, 'Threads.'),
  i32('serverCallbackExecutorThreads', 0, oneLoop, 'Threads.'),
  i32('serverSelectorThreads', 3, oneLoop, 'Threads.'),
  i32('serverOnewaySemaphoreValue', 256, byteBudgets, 'One-way requests under way to clients.'),
  i32('serverAsyncSemaphoreValue', 64, byteBudgets, 'Requests under way to clients.'),
  i32('serverSocketSndBufSize', 0, accepted('the system sizes socket buffers'), 'Socket buffer.', { unit: 'bytes' }),
  i32('serverSocketRcvBufSize', 0, accepted('the system sizes socket buffers'), 'Socket buffer.', { unit: 'bytes' }),
  i32('writeBufferHighWaterMark', 0, byteBudgets, 'Bytes from which a connection counts as blocked.', {
    unit: 'bytes',
  }),
  i32('writeBufferLowWaterMark', 0, byteBudgets, 'Bytes below which it is free again.', { unit: 'bytes' }),
  i32(
    'serverSocketBacklog',
    1024,
    accepted('the system default is at least as large'),
    'Connections that wait to be accepted.',
  ),
  bool('serverNettyWorkerGroupEnable', true, oneLoop, 'Handlers on threads of their own.'),
  bool('serverPooledByteBufAllocatorEnable', true, oneLoop, 'Pool buffers.'),
  bool('useEpollNativeSelector', false, oneLoop, 'Use epoll directly.'),
  bool(
    'enableShutdownGracefully',
    false,
    accepted('a stop is always graceful: GO_AWAY, unregister, drain'),
    'Answer GO_AWAY while stopping.',
  ),
  i32('shutdownWaitTimeSeconds', 30, supported, 'How long a stop waits for answers under way.', {
    unit: 's',
    min: 0,
    max: 600,
  }),
  // Calling (NettyClientConfig)
  i32('connectTimeoutMillis', 3000, supported, 'Limit of connecting to a name server.', { unit: 'ms', min: 1 }),
  i32('clientWorkerThreads', 4, fewConnections, 'Of the Java client.'),
  i32('clientCallbackExecutorThreads', 2, fewConnections, 'Of the Java client.'),
  i32('clientOnewaySemaphoreValue', 65_535, fewConnections, 'Of the Java client.'),
  i32('clientAsyncSemaphoreValue', 65_535, fewConnections, 'Of the Java client.'),
  i64('channelNotActiveInterval', 60_000, fewConnections, 'Of the Java client.', { unit: 'ms' }),
  bool('isScanAvailableNameSrv', true, fewConnections, 'Of the Java client.'),
  i32('clientChannelMaxIdleTimeSeconds', 120, fewConnections, 'Of the Java client.', { unit: 's' }),
  i32('clientSocketSndBufSize', 0, fewConnections, 'Of the Java client.', { unit: 'bytes' }),
  i32('clientSocketRcvBufSize', 0, fewConnections, 'Of the Java client.', { unit: 'bytes' }),
  bool('clientPooledByteBufAllocatorEnable', false, fewConnections, 'Of the Java client.'),
  bool('clientCloseSocketIfTimeout', true, fewConnections, 'Of the Java client.'),
  bool('disableCallbackExecutor', false, fewConnections, 'Of the Java client.'),
  bool('disableNettyWorkerGroup', false, fewConnections, 'Of the Java client.'),
  i64('maxReconnectIntervalTimeSeconds', 60, fewConnections, 'Of the Java client.', { unit: 's' }),
  bool('enableReconnectForGoAway', true, fewConnections, 'Of the Java client.'),
  bool('useTLS', false, refused('TLS comes in a later version'), 'Use TLS towards name servers.'),
  text('socksProxyConfig', '{}', refused('connections to name servers are direct'), 'SOCKS proxies by address.'),
  // Users and ACLs (AuthConfig)
  bool(
    'authenticationEnabled',
    false,
    refused('users come in a later version, and an open broker in place of a closed one would be worse than none'),
    'Check signatures.',
  ),
  bool(
    'authorizationEnabled',
    false,
    refused('ACLs come in a later version, and an open broker in place of a closed one would be worse than none'),
    'Check ACLs.',
  ),
  bool(
    'migrateAuthFromV1Enabled',
    false,
    refused('users and ACLs come in a later version'),
    'Take over plain_acl.yml.',
  ),
  text('configName', '', authLater, 'Of users and ACLs.'),
  text('clusterName', '', authLater, 'Of users and ACLs.'),
  text('authConfigPath', '', authLater, 'Of users and ACLs.'),
  text('authenticationProvider', '', authLater, 'Of users and ACLs.'),
  text('authenticationMetadataProvider', '', authLater, 'Of users and ACLs.'),
  text('authenticationStrategy', '', authLater, 'Of users and ACLs.'),
  text('authenticationWhitelist', '', authLater, 'Of users and ACLs.'),
  text('initAuthenticationUser', '', authLater, 'Of users and ACLs.'),
  text('innerClientAuthenticationCredentials', '', authLater, 'Of users and ACLs.'),
  text('authorizationProvider', '', authLater, 'Of users and ACLs.'),
  text('authorizationMetadataProvider', '', authLater, 'Of users and ACLs.'),
  text('authorizationStrategy', '', authLater, 'Of users and ACLs.'),
  text('authorizationWhitelist', '', authLater, 'Of users and ACLs.'),
  i32('userCacheMaxNum', 1000, authLater, 'Of users and ACLs.'),
  i32('userCacheExpiredSecond', 600, authLater, 'Of users and ACLs.', { unit: 's' }),
  i32('userCacheRefreshSecond', 60, authLater, 'Of users and ACLs.', { unit: 's' }),
  i32('aclCacheMaxNum', 1000, authLater, 'Of users and ACLs.'),
  i32('aclCacheExpiredSecond', 600, authLater, 'Of users and ACLs.', { unit: 's' }),
  i32('aclCacheRefreshSecond', 60, authLater, 'Of users and ACLs.', { unit: 's' }),
  i32('statefulAuthenticationCacheMaxNum', 10_000, authLater, 'Of users and ACLs.'),
  i32('statefulAuthenticationCacheExpiredSecond', 60, authLater, 'Of users and ACLs.', { unit: 's' }),
  i32('statefulAuthorizationCacheMaxNum', 10_000, authLater, 'Of users and ACLs.'),
  i32('statefulAuthorizationCacheExpiredSecond', 60, authLater, 'Of users and ACLs.', { unit: 's' }),
] as const satisfies readonly ConfigRow[];
