import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPeer } from '../../test/broker/fake-peer.ts';
import type { Workers } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { BrokerGroups } from './broker-groups.ts';
import { BrokerLiveness } from './broker-liveness.ts';
import { Membership } from './membership.ts';
import { RouteTable } from './route-table.ts';

/** A worker that reads a body when it is told to. */
class SlowWorkers implements Workers {
  readonly #waiting: (() => void)[] = [];

  async run<Input, Output>(task: { run(input: Input): Output }, input: Input): Promise<Output> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return task.run(input);
  }

  readAll(): void {
    for (const read of this.#waiting.splice(0)) read();
  }

  async close(): Promise<void> {}
}

function newMembership() {
  const { clock, timers, log } = new SimWorld({ seed: 1 }).node('ns').env;
  const workers = new SlowWorkers();
  const liveness = new BrokerLiveness();
  const tables = { groups: new BrokerGroups(), routes: new RouteTable(), liveness };
  const config = { deleteTopicWithBrokerRegistration: false, unRegisterBrokerQueueCapacity: 3000 };
  return { workers, liveness, membership: new Membership({ clock, timers, workers, log }, tables, config, () => {}) };
}

const broker = (connection: ReturnType<typeof newPeer>) => ({
  cluster: 'c',
  brokerName: 'b',
  brokerId: 0,
  address: '10.0.0.9:10911',
  haServerAddress: '',
  zoneName: undefined,
  enableActingMaster: false,
  heartbeatTimeoutMs: undefined,
  connection,
});

const small = Buffer.from('{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{},"U":{}}}}');
const large = Buffer.concat([small, Buffer.alloc(20_000, ' ')]);

test('a registration that is read after its connection closed leaves no broker behind', async () => {
  const { workers, liveness, membership } = newMembership();
  const connection = newPeer(1);
  await membership.register(broker(connection), small, 'json');
  assert.equal(liveness.size, 1);
  const late = membership.register(broker(connection), large, 'json');
  connection.break();
  assert.equal(liveness.size, 0);
  workers.readAll();
  await late;
  assert.equal(liveness.size, 0);
});

test('bodies that wait to be read have a limit in bytes', async () => {
  const { workers, membership } = newMembership();
  const body = Buffer.concat([small, Buffer.alloc(15 * 1024 * 1024, ' ')]);
  const registrations = Array.from({ length: 20 }, (_, id) =>
    Promise.resolve(membership.register({ ...broker(newPeer(id)), address: `10.0.0.9:${id}` }, body, 'json')),
  );
  const results = Promise.allSettled(registrations);
  workers.readAll();
  const refused = (await results).filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 3);
  await assert.rejects(registrations[19], /wait to be read, the limit is 268435456/);
});
