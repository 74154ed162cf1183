/**
 * How brokers join and leave: the rules over the three tables. What must be told to others comes back as a
 * `MinBrokerChange`.
 *
 * Invariant: each address in a group belongs to one live broker of that name and id. So a departure is bound to the
 * registration that it ends, and a late one (the close of an old connection, an unregistration that was overtaken by a
 * restart) cannot remove a newer registration.
 */
import { assert } from '../common/mod.ts';
import { Perm } from '../message/mod.ts';
import { ResponseCode, ResponseError } from '../remoting/mod.ts';
import { type BrokerGroup, type BrokerGroups, minBrokerId } from './broker-groups.ts';
import type { BrokerConnection, BrokerLiveness, LiveBroker } from './broker-liveness.ts';
import { sameDataVersion } from './data-version.ts';
import { limits } from './limits.ts';
import type { RegisterBody } from './register-body.ts';
import type { RouteTable } from './route-table.ts';

export interface BrokerTables {
  readonly groups: BrokerGroups;
  readonly routes: RouteTable;
  readonly liveness: BrokerLiveness;
}

export interface Registration {
  readonly cluster: string;
  readonly brokerName: string;
  readonly brokerId: number;
  readonly address: string;
  readonly haServerAddress: string;
  readonly zoneName: string | undefined;
  /** Undefined: a broker before 5.0, which knows nothing of acting masters. */
  readonly enableActingMaster: boolean | undefined;
  /** Undefined: 120 s. */
  readonly heartbeatTimeoutMs: number | undefined;
  readonly connection: BrokerConnection;
  readonly body: RegisterBody;
}

/** The lowest broker id of a group is another one now; `notify` are the addresses to tell. */
export interface MinBrokerChange {
  readonly brokerName: string;
  readonly minBrokerId: number;
  readonly minBrokerAddress: string;
  readonly offlineAddress: string | undefined;
  readonly haServerAddress: string | undefined;
  readonly notify: readonly string[];
}

export interface RegisterResult {
  /** For a slave whose master is here. */
  readonly master: { readonly address: string; readonly haServerAddress: string } | undefined;
  readonly minBrokerChanges: readonly MinBrokerChange[];
}

const masterId = 0;
const heartbeatTimeoutMsDefault = 120_000;

/** Topics that are written before others get their turn on the event loop. */
const topicsPerSlice = 1000;

/**
 * Registers or refreshes a broker. With `deleteMissingTopics`, topics that the table of a broker no longer has go.
 * Throws ResponseError for a table of one topic from a broker that is not registered (such increments follow the first
 * registration only), and over the limits.
 *
 * The broker itself is registered by the first step; its topics follow in slices, each step writing one. It ends early
 * when the registration has been ended, or replaced, between two steps.
 */
export function* registerBroker(
  tables: BrokerTables,
  registration: Registration,
  options: { nowMs: number; deleteMissingTopics: boolean },
): Generator<undefined, RegisterResult> {
  const { groups, routes, liveness } = tables;
  const { cluster, brokerName, brokerId, address, body } = registration;
  const known = groups.get(brokerName);
  if (body.topics.names.length === 1 && known?.addresses.has(brokerId) !== true) {
    throw new ResponseError(
      ResponseCode.SYSTEM_ERROR,
      'register broker failed: a single topic was registered before the broker itself',
    );
  }
  checkLimits(tables, registration);
  const minIdBefore = known === undefined ? masterId : minBrokerId(known);
  const minBrokerChanges = leaveOtherPlaces(tables, registration);
  if (isOutranked(tables, registration)) {
    liveness.remove(cluster, address);
    return { master: undefined, minBrokerChanges };
  }

  const group = groups.join(cluster, brokerName);
  const previousAddress = group.addresses.get(brokerId);
  const previous = liveness.get(cluster, address);
  group.addresses.set(brokerId, address);
  group.actingMaster = registration.enableActingMaster === true;
  group.zoneName = registration.zoneName;

  const changed =
    previousAddress === undefined || previous === undefined || !sameDataVersion(previous.dataVersion, body.dataVersion);
  const broker: LiveBroker = {
    cluster,
    address,
    brokerName,
    brokerId,
    haServerAddress: registration.haServerAddress,
    dataVersion: body.dataVersion,
    heartbeatTimeoutMs: registration.heartbeatTimeoutMs ?? heartbeatTimeoutMsDefault,
    connection: registration.connection,
    filterServers: body.filterServers ?? previous?.filterServers ?? [],
    lastHeardMs: options.nowMs,
  };
  liveness.set(broker);
  if (brokerId < minIdBefore) minBrokerChanges.push(changeByRegistration(group, registration));
  const result: RegisterResult = {
    master: brokerId === masterId ? undefined : masterOf(tables, group, cluster),
    minBrokerChanges,
  };
  if (brokerId !== masterId && !isPrimeSlave(group, registration)) return result;

  if (options.deleteMissingTopics && body.mappings.length === 0) deleteMissingTopics(routes, registration);
  for (let row = 0; row < body.topics.names.length; row += topicsPerSlice) {
    if (row > 0) yield;
    if (liveness.get(cluster, address) !== broker) return result;
    updateTopics(routes, group, registration, row, changed);
  }
  // A mapping goes with its topic, so that without one it would stay for ever.
  const mappings = changed ? body.mappings.filter(({ topic }) => routes.queuesOf(topic) !== undefined) : [];
  for (const mapping of mappings) routes.putMapping(mapping);
  return result;
}

function checkLimits({ routes, liveness }: BrokerTables, { cluster, address, body }: Registration): void {
  if (liveness.get(cluster, address) === undefined && liveness.size >= limits.brokersMax) {
    throw new ResponseError(
      ResponseCode.SYSTEM_BUSY,
      `this name server has its maximum of ${limits.brokersMax} brokers`,
    );
  }
  // Counted as if all were new: exact enough for a bound, and cheap.
  if (routes.rowCount + body.topics.names.length > limits.routeRowsMax + routes.topicCount) {
    throw new ResponseError(
      ResponseCode.SYSTEM_BUSY,
      `this name server has its maximum of ${limits.routeRowsMax} topic routes`,
    );
  }
}

/** One address is one broker: a former id in its group, or a former name, is given up. */
function leaveOtherPlaces(tables: BrokerTables, registration: Registration): MinBrokerChange[] {
  const { cluster, brokerName, brokerId, address } = registration;
  const addresses = tables.groups.get(brokerName)?.addresses;
  for (const [id, other] of addresses ?? []) if (other === address && id !== brokerId) addresses?.delete(id);
  const previous = tables.liveness.get(cluster, address);
  if (previous === undefined || previous.brokerName === brokerName) return [];
  const change = unregisterBroker(tables, previous);
  return change === undefined ? [] : [change];
}

/** Another address has this id by a newer election. */
function isOutranked({ groups, liveness }: BrokerTables, registration: Registration): boolean {
  const { cluster, brokerName, brokerId, address, body } = registration;
  const holder = groups.get(brokerName)?.addresses.get(brokerId);
  if (holder === undefined || holder === address) return false;
  const live = liveness.get(cluster, holder);
  return live !== undefined && live.dataVersion.stateVersion > body.dataVersion.stateVersion;
}

/** The slave that stands in for a lost master. */
function isPrimeSlave(group: BrokerGroup, { brokerId, enableActingMaster }: Registration): boolean {
  return enableActingMaster !== undefined && brokerId !== masterId && brokerId === minBrokerId(group);
}

function deleteMissingTopics(routes: RouteTable, { brokerName, body }: Registration): void {
  const names = new Set(body.topics.names);
  for (const topic of [...routes.topicsOf(brokerName)]) if (!names.has(topic)) routes.remove(topic, brokerName);
}

/**
 * Writes one slice. With an unchanged version only topics that are missing here are written, so that wiped permissions
 * stay wiped.
 */
function updateTopics(
  routes: RouteTable,
  group: BrokerGroup,
  { brokerId, brokerName, body: { topics } }: Registration,
  from: number,
  changed: boolean,
): void {
  const permMask = brokerId !== masterId && group.actingMaster ? ~Perm.WRITE : -1;
  const to = Math.min(from + topicsPerSlice, topics.names.length);
  for (let row = from; row < to; row++) {
    const topic = topics.names[row];
    if (!changed && routes.queuesOf(topic)?.has(brokerName)) continue;
    routes.put(topic, {
      brokerName,
      readQueueNums: topics.readQueueNums[row],
      writeQueueNums: topics.writeQueueNums[row],
      perm: topics.perms[row] & permMask,
      topicSysFlag: topics.sysFlags[row],
    });
  }
}

function masterOf({ liveness }: BrokerTables, group: BrokerGroup, cluster: string): RegisterResult['master'] {
  const address = group.addresses.get(masterId);
  const live = address === undefined ? undefined : liveness.get(cluster, address);
  return live === undefined ? undefined : { address: live.address, haServerAddress: live.haServerAddress };
}

function changeByRegistration(group: BrokerGroup, { address, haServerAddress }: Registration): MinBrokerChange {
  const others = [...group.addresses.values()].filter((other) => other !== address);
  return {
    brokerName: group.brokerName,
    minBrokerId: minBrokerId(group),
    minBrokerAddress: address,
    offlineAddress: undefined,
    haServerAddress,
    notify: others.length === 0 ? [address] : others,
  };
}

/**
 * Ends one registration: its address leaves the group, and with the last address go the name and its queues. Gives the
 * change to announce when the lowest id of a group with acting masters has gone.
 */
export function unregisterBroker(
  { groups, routes, liveness }: BrokerTables,
  { cluster, address, brokerName, brokerId }: LiveBroker,
): MinBrokerChange | undefined {
  liveness.remove(cluster, address);
  const group = groups.get(brokerName);
  if (group === undefined || group.addresses.get(brokerId) !== address) return undefined;
  const wasMin = brokerId === minBrokerId(group);
  group.addresses.delete(brokerId);
  if (group.addresses.size === 0) {
    groups.remove(brokerName);
    routes.removeBroker(brokerName);
    return undefined;
  }
  if (!group.actingMaster) return undefined;
  if (!group.addresses.has(masterId)) routes.wipeWritePermission(brokerName);
  if (!wasMin) return undefined;
  const id = minBrokerId(group);
  const minBrokerAddress = group.addresses.get(id);
  assert(minBrokerAddress !== undefined, 'the lowest id has an address');
  return {
    brokerName,
    minBrokerId: id,
    minBrokerAddress,
    offlineAddress: address,
    haServerAddress: undefined,
    notify: [...group.addresses.values()],
  };
}
