import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicRules } from '../../test/broker/topic-rules.ts';
import { parseLooseJson } from '../common/mod.ts';
import { type RemotingClient, RemotingError, type RequestOf, type Response } from '../remoting/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { asObject } from './json-state.ts';
import { NameServers } from './name-servers.ts';
import { Registration } from './registration.ts';
import { plainTopic } from './topic.ts';
import { Topics } from './topics.ts';

interface Told {
  atMs: number;
  /** Counter of the table's version. */
  version: number;
  address: string;
  name: string;
  header: Partial<RequestOf<'registerBroker'>>;
  /** Topic → perm. */
  topics: Record<string, unknown>;
}

interface World {
  told: Told[];
  /** What was sent, in order, also to name servers that do not answer. */
  tries: Told[];
  topics: Topics;
  /** Name servers that do not answer. */
  down: Set<string>;
  /** The connection to one of them breaks. */
  breakOff(address: string): void;
  /** Runs at the end of each turn, so that something happens while a large table is being written. */
  betweenSlices: { run: (() => void) | undefined };
  /** What name servers answer. */
  reply: { body: string };
  registration: Registration;
  after(ms: number): Promise<void>;
}

function inWorld(
  run: (world: World) => Promise<void>,
  options: { brokerPermission?: number; namesrvAddr?: string; registerNameServerPeriod?: number } = {},
) {
  return async () => {
    const simulation = new SimWorld({ seed: 1 });
    await simulation.run(async () => {
      const { env } = simulation.node('broker');
      const told: Told[] = [];
      const tries: Told[] = [];
      const down = new Set<string>();
      const reply = { body: '' };
      const betweenSlices: World['betweenSlices'] = { run: undefined };
      let breakOff: (address: string) => void = () => {};
      const client: Pick<RemotingClient, 'request' | 'onDisconnect'> = {
        onDisconnect: (disconnected) => {
          breakOff = disconnected;
        },
        async request(address, name, header, { body } = {}) {
          const json = body === undefined ? undefined : asObject(parseLooseJson(Buffer.from(body).toString()));
          const wrapper = asObject(json?.topicConfigSerializeWrapper);
          const table = asObject(wrapper?.topicConfigTable) ?? {};
          const asked: Told = {
            atMs: simulation.nowMs,
            version: Number(asObject(wrapper?.dataVersion)?.counter),
            address,
            name,
            header,
            topics: Object.fromEntries(Object.entries(table).map(([topic, row]) => [topic, asObject(row)?.perm])),
          };
          tries.push(asked);
          await simulation.sleep(1);
          if (down.has(address)) throw new RemotingError('connect failed', address, 'down');
          told.push(asked);
          const response: Response<typeof name> = {
            code: 0,
            remark: undefined,
            fields: {},
            extra: new Map(),
            body: Buffer.from(reply.body),
            version: 513,
          };
          return response;
        },
      };
      const topics = await Topics.open(topicRules, env, '/topics.json', () => undefined);
      const nameServers = await NameServers.start(
        {
          namesrvAddr: options.namesrvAddr ?? 'one:9876;two:9876',
          fetchNamesrvAddrByAddressServer: false,
          fetchNameSrvAddrByDnsLookup: false,
          fetchNamesrvAddrInterval: 10_000,
          updateNameServerAddrPeriod: 120_000,
        },
        env,
      );
      const registration = await Registration.start({
        client,
        nameServers,
        topics,
        clock: env.clock,
        timers: {
          ...env.timers,
          soon: (run) =>
            env.timers.soon(() => {
              betweenSlices.run?.();
              run();
            }),
        },
        random: env.random,
        log: env.log,
        identity: { clusterName: 'c', brokerName: 'b', address: '10.0.0.1:10911', haAddress: '10.0.0.1:10912' },
        config: {
          brokerPermission: options.brokerPermission ?? 6,
          registerNameServerPeriod: options.registerNameServerPeriod ?? 1,
          registerBrokerTimeoutMills: 1000,
        },
      });
      // The start waits for the first only.
      await simulation.sleep(10);
      await run({
        told,
        tries,
        topics,
        down,
        breakOff: (address) => breakOff(address),
        reply,
        registration,
        after: (ms) => simulation.sleep(ms),
        betweenSlices,
      });
      await registration.unregister();
    });
  };
}

const addresses = (told: readonly Told[]) => told.map(({ address }) => address);

test(
  'all name servers are told everything at start, and again each period, which is held within 10 s to 60 s',
  inWorld(async ({ told, after }) => {
    assert.deepEqual(addresses(told), ['one:9876', 'two:9876']);
    const { header, topics } = told[0];
    assert.deepEqual(
      [
        header.brokerName,
        header.clusterName,
        header.brokerAddr,
        header.haServerAddr,
        header.brokerId,
        header.compressed,
      ],
      ['b', 'c', '10.0.0.1:10911', '10.0.0.1:10912', 0, false],
    );
    assert.ok('TBW102' in topics && 'SCHEDULE_TOPIC_XXXX' in topics);
    await after(9_800);
    assert.equal(told.length, 2);
    await after(300);
    assert.equal(told.length, 4);
  }),
);

test(
  'changed topics are told at once, those of one turn together and alone',
  inWorld(async ({ told, topics, after }) => {
    told.length = 0;
    topics.create(plainTopic('T', 1));
    topics.create(plainTopic('U', 1));
    await after(5);
    assert.deepEqual(
      told.map((one) => Object.keys(one.topics)),
      [
        ['T', 'U'],
        ['T', 'U'],
      ],
    );
  }),
);

test(
  'a name server that is down delays nobody, and is told as soon as it is back',
  inWorld(async ({ told, down, topics, after }) => {
    down.add('one:9876');
    told.length = 0;
    topics.create(plainTopic('T', 1));
    await after(5);
    assert.deepEqual(addresses(told), ['two:9876']);
    down.clear();
    await after(3_100);
    assert.deepEqual(addresses(told), ['two:9876', 'one:9876']);
    assert.ok('T' in told[1].topics && 'TBW102' in told[1].topics);
  }),
);

test(
  'a name server whose connection broke is told everything again at once, and the others are left alone',
  inWorld(async ({ told, breakOff, registration, after }) => {
    told.length = 0;
    breakOff('two:9876');
    await after(150);
    assert.deepEqual(addresses(told), ['two:9876']);
    assert.ok('TBW102' in told[0].topics);
    breakOff('elsewhere:9876');
    await after(1000);
    assert.equal(told.length, 1);
    assert.ok(registration.registered);
  }),
);

test(
  'a name server that stays away is tried soon, then ever later, but at least each 3 s',
  inWorld(
    async ({ told, tries, down, breakOff, registration, after }) => {
      down.add('one:9876');
      breakOff('one:9876');
      tries.length = 0;
      assert.ok(!registration.registered);
      await after(60_000);
      const waits = tries.slice(1).map(({ atMs }, index) => atMs - tries[index].atMs);
      assert.ok(tries.length > 20 && tries.length < 60, `${tries.length} tries in a minute`);
      assert.ok(waits[0] < 250 && waits.every((ms) => ms < 3_100), String(waits));
      told.length = 0;
      down.clear();
      await after(3_100);
      assert.ok(registration.registered);
      assert.deepEqual(addresses(told), ['one:9876']);
    },
    { namesrvAddr: 'one:9876', registerNameServerPeriod: 60_000 },
  ),
);

test(
  'changes that reach a name server before everything else do not stand for everything',
  inWorld(
    async ({ told, down, topics, breakOff, after }) => {
      down.add('one:9876');
      breakOff('one:9876');
      await after(1_000);
      down.clear();
      told.length = 0;
      topics.create(plainTopic('T', 1));
      topics.create(plainTopic('U', 1));
      await after(3_100);
      assert.deepEqual(
        told.map((one) => 'TBW102' in one.topics),
        [false, true],
      );
    },
    { namesrvAddr: 'one:9876' },
  ),
);

test(
  'a change while a large table is being written comes after it, with a later version',
  inWorld(
    async ({ tries, topics, breakOff, betweenSlices, after }) => {
      for (let i = 0; i < 5_000; i++) topics.create(plainTopic(`many-${i}`, 1));
      await after(1_000);
      tries.length = 0;
      breakOff('one:9876');
      let changes = 0;
      betweenSlices.run = () => {
        if (changes < 5) topics.create({ ...plainTopic('T', 1), perm: ++changes % 2 === 0 ? 4 : 6 });
      };
      await after(100);
      const all = tries.findIndex((one) => Object.keys(one.topics).length > 5_000);
      assert.ok(all >= 0);
      assert.equal(changes, 5);
      const versions = tries.map(({ version }) => version);
      assert.deepEqual(
        versions.toSorted((a, b) => a - b),
        versions,
      );
      assert.equal(tries.at(-1)?.topics.T, 6);
      // A name server takes nothing from a version that it has.
      const byVersion = new Map(tries.map(({ version, topics: { T } }) => [version, T]));
      for (const { version, topics: told } of tries) assert.equal(told.T, byVersion.get(version), `version ${version}`);
    },
    { namesrvAddr: 'one:9876', registerNameServerPeriod: 60_000 },
  ),
);

test(
  'topics lose what the broker itself may not do',
  inWorld(
    async ({ told }) => {
      assert.deepEqual([told[0].topics.TBW102, told[0].topics.BenchmarkTest], [4, 4]);
    },
    { brokerPermission: 4 },
  ),
);

test(
  'topics that a name server lists as ordered become so; nonsense is passed over',
  inWorld(async ({ topics, reply, after }) => {
    reply.body = '{"table":{"BenchmarkTest":"b:4","unknown":"b:1"}}';
    await after(11_000);
    assert.equal(topics.get('BenchmarkTest')?.order, true);
    reply.body = 'nonsense';
    await after(11_000);
    assert.equal(topics.get('BenchmarkTest')?.order, true);
  }),
);

test(
  'a broker that leaves says so to all, and registers no more',
  inWorld(async ({ told, registration, topics, breakOff, after }) => {
    told.length = 0;
    breakOff('one:9876');
    await registration.unregister();
    breakOff('two:9876');
    topics.create(plainTopic('T', 1));
    await after(70_000);
    assert.deepEqual(told.map(({ address, name }) => `${name} ${address}`).sort(), [
      'unregisterBroker one:9876',
      'unregisterBroker two:9876',
    ]);
  }),
);

test(
  'without name servers there is nothing to tell',
  inWorld(
    async ({ told, after }) => {
      await after(40_000);
      assert.equal(told.length, 0);
    },
    { namesrvAddr: '' },
  ),
);
