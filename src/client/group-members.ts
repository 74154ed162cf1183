import { type JsonValue, parseLooseJson } from '../common/mod.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import type { Route } from './route.ts';

/**
 * The ids of a group's consumers, ours among them, as a broker of the topic knows them. Throws ClientError and
 * RemotingError.
 */
export async function groupMembers(client: Client, group: string, route: Route): Promise<string[]> {
  const brokerNames = [...route.brokers.keys()];
  if (brokerNames.length === 0) throw new ClientError('no route', 'the topic has no broker');
  const brokerName = brokerNames[client.ports.random.below(brokerNames.length)];
  const address = client.routes.anyAddress(brokerName);
  if (address === undefined) throw new ClientError('no route', `the broker ${brokerName} is gone`);
  const ids = await ask(client, group, address).catch((error: unknown): string[] => {
    if (error instanceof ClientError && error.failure === 'refused') return [];
    throw error;
  });
  if (ids.includes(client.id)) return ids;
  // A broker that was started anew, or is new in the route, has not heard of us.
  await client.heartbeatTo(address);
  return ask(client, group, address);
}

async function ask(client: Client, group: string, address: string): Promise<string[]> {
  const response = await client.call(address, 'getConsumerListByGroup', { consumerGroup: group });
  let value: JsonValue;
  try {
    value = parseLooseJson(Buffer.from(response.body).toString('utf8'));
  } catch (cause) {
    throw new ClientError('invalid', `${address} sent a consumer list that is no JSON`, { cause });
  }
  const list = typeof value === 'object' && value !== null && !Array.isArray(value) ? value.consumerIdList : [];
  return Array.isArray(list) ? list.map(String) : [];
}
