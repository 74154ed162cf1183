import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakePeer, newPeer } from '../../test/broker/fake-peer.ts';
import { SimWorld } from '../testing/mod.ts';
import { ClientRegistry, type ConsumerKind, type RegistryRules } from './client-registry.ts';
import { subscriptionOf } from './subscription.ts';

const clustering: ConsumerKind = {
  consumeType: 'CONSUME_PASSIVELY',
  messageModel: 'CLUSTERING',
  consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
};

interface World {
  registry: ClientRegistry;
  after(ms: number): Promise<void>;
  consume(peer: FakePeer, options?: Consume): boolean;
}

interface Consume {
  topics?: string[] | undefined;
  version?: number;
  fingerprint?: number;
  notify?: boolean;
  kind?: Partial<ConsumerKind>;
}

function inWorld(run: (world: World) => Promise<void>, rules: Partial<RegistryRules> = {}) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { clock, timers, log } = world.node('broker').env;
      const registry = new ClientRegistry(
        {
          channelExpiredTimeout: 120_000,
          notifyConsumerIdsChangedEnable: true,
          enableRegisterProducer: true,
          ...rules,
        },
        { clock, timers, log },
      );
      await run({
        registry,
        after: (ms) => new Promise((resolve) => timers.after(ms, resolve)),
        consume: (peer, options = {}) => {
          const { topics = ['T'], version = 1, fingerprint = 0, notify = true, kind = {} } = options;
          const subscriptions = topics
            .map((topic) => subscriptionOf(topic, 'A', version))
            .filter((s) => s !== undefined);
          return registry.registerConsumer(
            'g',
            peer,
            { clientId: `client-${peer.id}`, language: 'JAVA', version: 513 },
            { ...clustering, ...kind },
            'topics' in options && options.topics === undefined ? undefined : subscriptions,
            fingerprint,
            notify,
          );
        },
      });
      registry.close();
    });
  };
}

const clientIds = (registry: ClientRegistry) =>
  [...(registry.consumerGroup('g')?.clients.values() ?? [])].map(({ clientId }) => clientId);

test(
  'who joins, leaves or changes the subscription is announced to the whole group, at once',
  inWorld(async ({ registry, consume: register, after }) => {
    const consume = async (...parameters: Parameters<typeof register>) => {
      register(...parameters);
      await after(1);
    };
    const [one, two] = [newPeer(1), newPeer(2)];
    await consume(one);
    assert.equal(one.notices.length, 1);
    await consume(two);
    assert.deepEqual(one.notices[1], ['notifyConsumerIdsChanged', { consumerGroup: 'g' }]);
    assert.equal(two.notices.length, 1);
    await consume(two, { topics: ['T', 'U'] });
    assert.equal(one.notices.length, 3);
    registry.unregisterConsumer('g', two);
    await after(1);
    assert.equal(one.notices.length, 4);
    assert.equal(two.notices.length, 2);
    assert.deepEqual(clientIds(registry), ['client-1']);
  }),
);

test(
  'an unchanged heartbeat announces nothing',
  inWorld(async ({ consume, after }) => {
    const one = newPeer(1);
    consume(one);
    await after(1);
    consume(one);
    consume(one, { version: 2 });
    await after(1);
    assert.equal(one.notices.length, 1);
  }),
);

test(
  'many who leave together are announced once to who stays',
  inWorld(async ({ consume, after }) => {
    const peers = Array.from({ length: 1000 }, (_, id) => newPeer(id));
    for (const peer of peers) consume(peer);
    await after(1);
    for (const peer of peers.slice(2)) peer.break();
    await after(1);
    const notices = peers.map((peer) => peer.notices.length);
    assert.deepEqual([notices[0], notices[1], Math.max(...notices.slice(2))], [2, 2, 1]);
  }),
);

test(
  'a connection can be in so many groups only, under names of some length',
  inWorld(async ({ registry }) => {
    const one = newPeer(1);
    const who = { clientId: 'c', language: undefined, version: 1 };
    for (let i = 0; i < 4096; i++) registry.registerProducer(`p-${i}`, one, who);
    registry.registerProducer('p-7', one, who);
    assert.throws(() => registry.registerProducer('one more', one, who), /c is in 4096 groups/);
    registry.unregisterProducer('p-7', one);
    registry.registerProducer('one more', one, who);
    assert.throws(() => registry.registerProducer('p'.repeat(1025), newPeer(2), who), /1024 characters/);
    assert.equal(registry.counts().producers, 4096);
  }),
);

test(
  'who leaves the subscriptions out is asked for them when it is new here, though another of its group told its own',
  inWorld(async ({ consume }) => {
    const [one, two] = [newPeer(1), newPeer(2)];
    assert.equal(consume(one, { topics: undefined, fingerprint: 7 }), true);
    assert.equal(consume(one, { fingerprint: 7 }), false);
    assert.equal(consume(one, { topics: undefined, fingerprint: 7 }), false);
    assert.equal(consume(two, { topics: undefined, fingerprint: 7 }), true);
  }),
);

test(
  'broadcasting groups, and groups that do not want it, are not told',
  inWorld(async ({ consume, after }) => {
    const one = newPeer(1);
    consume(one, { kind: { messageModel: 'BROADCASTING' } });
    await after(1);
    consume(newPeer(2), { notify: false });
    await after(1);
    assert.equal(one.notices.length, 0);
  }),
);

test(
  'a broken connection takes its clients out of all groups, and the last one the group',
  inWorld(async ({ registry, consume }) => {
    const [one, two] = [newPeer(1), newPeer(2)];
    consume(one);
    consume(two);
    registry.registerProducer('p', one, { clientId: 'c', language: undefined, version: 1 });
    assert.deepEqual(registry.counts(), { producers: 1, consumers: 2 });
    one.break();
    assert.deepEqual(registry.counts(), { producers: 0, consumers: 1 });
    assert.equal(registry.producers('p'), undefined);
    two.break();
    assert.equal(registry.consumerGroup('g'), undefined);
  }),
);

test(
  'a heartbeat that is read after its connection broke leaves nothing behind',
  inWorld(async ({ registry, consume }) => {
    const one = newPeer(1);
    one.break();
    consume(one);
    registry.registerProducer('p', one, { clientId: 'c', language: undefined, version: 1 });
    assert.deepEqual(registry.counts(), { producers: 0, consumers: 0 });
  }),
);

test(
  'a client silent for two minutes is disconnected; one that speaks is kept',
  inWorld(async ({ registry, consume, after }) => {
    const [one, two] = [newPeer(1), newPeer(2)];
    consume(one);
    consume(two);
    await after(100_000);
    consume(two);
    await after(35_000);
    assert.equal(one.closedBecause.length, 1);
    assert.deepEqual(clientIds(registry), ['client-2']);
  }),
);

test(
  'of one topic the newest subscription of all clients counts; topics left out are forgotten',
  inWorld(async ({ registry, consume }) => {
    consume(newPeer(1), { topics: ['T', 'U'], version: 5 });
    consume(newPeer(2), { topics: ['T'], version: 4 });
    const subscriptions = registry.consumerGroup('g')?.subscriptions;
    assert.equal(subscriptions?.get('T')?.subVersion, 5);
    assert.equal(subscriptions?.has('U'), false);
  }),
);

test(
  'of one client the last subscription counts, whatever its clock says',
  inWorld(async ({ registry, consume }) => {
    const one = newPeer(1);
    consume(one, { version: 5 });
    consume(one, { version: 4 });
    assert.equal(registry.consumerGroup('g')?.subscriptions.get('T')?.subVersion, 4);
    consume(newPeer(2), { version: 3 });
    assert.equal(registry.consumerGroup('g')?.subscriptions.get('T')?.subVersion, 4);
    consume(newPeer(2), { version: 6 });
    assert.equal(registry.consumerGroup('g')?.subscriptions.get('T')?.subVersion, 6);
  }),
);

test(
  'a heartbeat without subscriptions keeps them, and another fingerprint asks for them',
  inWorld(async ({ registry, consume }) => {
    const one = newPeer(1);
    assert.equal(consume(one, { fingerprint: 7 }), false);
    assert.equal(consume(one, { fingerprint: 7, topics: undefined }), false);
    assert.equal(registry.consumerGroup('g')?.subscriptions.has('T'), true);
    assert.equal(consume(newPeer(2), { fingerprint: 8, topics: undefined }), true);
  }),
);
