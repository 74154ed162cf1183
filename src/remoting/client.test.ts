import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { frame, type RawAnswer } from '../../test/remoting/raw-peer.ts';
import type { Connection, Env } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import {
  type Call,
  createRemotingClient,
  type Handlers,
  type RemotingClient,
  type RemotingClientOptions,
  RemotingError,
  startRemotingServer,
} from './mod.ts';

const address = 'broker:10911';
const listen = { host: '0.0.0.0', port: 10911 };

type BrokerHandlers = Partial<Handlers<'broker'>>;

interface Scene {
  world: SimWorld;
  env: Env;
  client: RemotingClient;
}

function scene(
  play: (scene: Scene) => Promise<void>,
  options: Partial<RemotingClientOptions> = {},
): () => Promise<void> {
  return async () => {
    const world = new SimWorld({ seed: 3 });
    const { env } = world.node('broker');
    await world.run(async () => {
      const client = createRemotingClient({ ...world.node('client').env, ...options });
      await play({ world, env, client });
      await client.close();
    });
  };
}

const start = (env: Env, handlers: BrokerHandlers) =>
  startRemotingServer({ ...env, listen, role: 'broker', handlers: handlers as Handlers<'broker'> });

const failure = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof RemotingError);
  assert.equal(error.failure, expected);
  return true;
};

/** A server made of bytes: every request goes to `answer`. */
async function rawServer(
  env: Env,
  answer: (request: RawAnswer['header'], connection: Connection) => void,
): Promise<void> {
  await env.network.listen(listen, (connection) => {
    let received = Buffer.alloc(0);
    connection.start({
      onData: (bytes) => {
        received = Buffer.concat([received, bytes]);
        while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
          const end = 4 + received.readInt32BE(0);
          const header = JSON.parse(received.toString('utf8', 8, 8 + (received.readInt32BE(4) & 0xffffff)));
          received = received.subarray(end);
          answer(header, connection);
        }
      },
      onDrain: () => {},
      onClose: () => {},
    });
  });
}

suite('the remoting client', () => {
  test(
    'pipelines requests over one connection and matches answers that come in any order',
    scene(async ({ world, env, client }) => {
      const calls: Call<'getMaxOffset'>[] = [];
      const server = await start(env, {
        getMaxOffset: (_header, _body, call) => {
          calls.push(call);
          if (calls.length === 20) {
            for (const waiting of calls.reverse()) waiting.reply({ fields: { offset: waiting.opaque * 10 } });
          }
          return undefined;
        },
      });
      const requests = Array.from({ length: 20 }, (_, queueId) =>
        client.request(address, 'getMaxOffset', { topic: 'T', queueId }),
      );
      const responses = await Promise.all(requests);
      assert.deepEqual(
        responses.map(({ fields }) => fields.offset),
        Array.from({ length: 20 }, (_, index) => index * 10),
      );
      assert.equal(server.stats().connections, 1);
      assert.equal(world.eventCount > 0, true);
    }),
  );

  test(
    'writes its header as Java does',
    scene(
      async ({ env, client }) => {
        const seen: RawAnswer['header'][] = [];
        await rawServer(env, (header, connection) => {
          seen.push(header);
          connection.write(frame({ code: 0, flag: 1, opaque: header.opaque }));
        });
        await client.request(
          address,
          'getConsumerListByGroup',
          { consumerGroup: 'gä"' },
          { extra: { AccessKey: 'k' } },
        );
        await client.oneway(address, 'unregisterClient', { clientID: 'c' });
        await client.request(address, 'heartBeat', {});
        assert.deepEqual(seen, [
          {
            code: 38,
            extFields: { consumerGroup: 'gä"', AccessKey: 'k' },
            flag: 0,
            language: 'GO',
            opaque: 0,
            serializeTypeCurrentRPC: 'JSON',
            version: 513,
          },
          {
            code: 35,
            extFields: { clientID: 'c' },
            flag: 2,
            language: 'GO',
            opaque: 1,
            serializeTypeCurrentRPC: 'JSON',
            version: 513,
          },
          { code: 34, flag: 0, language: 'GO', opaque: 2, serializeTypeCurrentRPC: 'JSON', version: 513 },
        ]);
      },
      { language: 'GO' },
    ),
  );

  test(
    'gives up on time, each request on its own, and ignores an answer that comes later',
    scene(async ({ world, env, client }) => {
      await start(env, {
        getMaxOffset: async (header) => {
          await world.sleep(header.queueId);
          return { fields: { offset: header.queueId } };
        },
      });
      await client.request(address, 'getMaxOffset', { topic: 'T', queueId: 0 });
      const startMs = world.nowMs;
      const ends: [string, number][] = [];
      const ask = async (takesMs: number, timeoutMs: number) => {
        try {
          await client.request(address, 'getMaxOffset', { topic: 'T', queueId: takesMs }, { timeoutMs });
          ends.push(['answer', world.nowMs - startMs]);
        } catch (error) {
          assert.ok(error instanceof RemotingError);
          ends.push([error.failure, Math.round(world.nowMs - startMs)]);
        }
      };
      await Promise.all([ask(5000, 2000), ask(5000, 100), ask(700, 1000), ask(5000, 1000)]);
      assert.deepEqual(
        ends.map(([end]) => end),
        ['timeout', 'answer', 'timeout', 'timeout'],
      );
      assert.deepEqual([ends[0]?.[1], ends[2]?.[1], ends[3]?.[1]], [100, 1000, 2000]);
      await world.sleep(10_000);
      const { fields } = await client.request(address, 'getMaxOffset', { topic: 'T', queueId: 1 });
      assert.equal(fields.offset, 1);
    }),
  );

  test(
    'does not wait for a connection longer than for the answer',
    scene(async ({ world, client }) => {
      world.cut(world.node('broker'), world.node('client'));
      const startMs = world.nowMs;
      const request = client.request(address, 'heartBeat', {}, { timeoutMs: 500 });
      await assert.rejects(request, failure('timeout'));
      assert.ok(Math.abs(world.nowMs - startMs - 500) <= 1);
    }),
  );

  test(
    'says that a connection failed, and connects anew with the next request',
    scene(async ({ world, env, client }) => {
      await assert.rejects(client.request(address, 'heartBeat', {}), failure('connect failed'));
      await assert.rejects(client.request('nowhere', 'heartBeat', {}), failure('connect failed'));
      await start(env, { heartBeat: () => ({}), getMaxOffset: () => undefined });
      await client.request(address, 'heartBeat', {});
      const waiting = client.request(address, 'getMaxOffset', { topic: 'T', queueId: 0 }, { timeoutMs: 60_000 });
      const lost = assert.rejects(waiting, failure('closed'));
      await world.sleep(100);
      world.node('broker').kill();
      await lost;
      await start(world.node('broker').restart(), { heartBeat: () => ({ remark: 'again' }) });
      assert.equal((await client.request(address, 'heartBeat', {})).remark, 'again');
    }),
  );

  test(
    'tells of connections that are gone, except for those that it closed itself',
    scene(async ({ world, env, client }) => {
      const gone: string[] = [];
      client.onDisconnect((lost) => gone.push(lost));
      await start(env, { heartBeat: () => ({}) });
      await client.request(address, 'heartBeat', {});
      client.disconnect(address);
      await world.sleep(100);
      assert.deepEqual(gone, []);
      await client.request(address, 'heartBeat', {});
      world.node('broker').kill();
      await world.sleep(100);
      assert.deepEqual(gone, [address]);
      await start(world.node('broker').restart(), { heartBeat: () => ({}) });
      await client.request(address, 'heartBeat', {});
      await client.close();
      await world.sleep(100);
      assert.deepEqual(gone, [address]);
    }),
  );

  test(
    'repeats a request once over a new connection when the server goes away',
    scene(async ({ world, env, client }) => {
      let connections = 0;
      const answers: number[] = [1500, 0, 1500, 1500];
      await rawServer(env, (header, connection) => {
        const code = header.code === 34 ? (answers.shift() ?? 0) : 0;
        connection.write(frame({ code, flag: 1, opaque: header.opaque }));
      });
      const { network } = world.node('counting').env;
      const counting = createRemotingClient({
        ...world.node('counting').env,
        network: {
          connect: (endpoint, timeoutMs) => {
            connections++;
            return network.connect(endpoint, timeoutMs);
          },
        },
      });
      assert.equal((await counting.request(address, 'heartBeat', {})).code, 0);
      assert.equal(connections, 2);
      await counting.request(address, 'getConsumerListByGroup', { consumerGroup: 'g' });
      assert.equal(connections, 2, 'the new connection stays');
      assert.equal((await counting.request(address, 'heartBeat', {})).code, 1500, 'once only');
      assert.equal(connections, 3);
      await counting.close();
      await client.close();
    }),
  );

  test('serves what servers ask of it, and answers 3 to the rest', async () => {
    const told: string[] = [];
    await scene(
      async ({ world, env, client }) => {
        const asked: unknown[] = [];
        await start(env, {
          heartBeat: async (_header, _body, { peer }) => {
            peer.notify('notifyConsumerIdsChanged', { consumerGroup: 'g' });
            const header = { consumerGroup: 'h', clientId: 'c' };
            const served = await peer.request('notifyConsumerIdsChanged', header, undefined, 1000);
            const other = await peer.request('getConsumerRunningInfo', header, undefined, 1000);
            asked.push([served.code, served.remark], [other.code, other.remark]);
            return {};
          },
        });
        await client.request(address, 'heartBeat', {});
        await world.sleep(100);
        assert.deepEqual(told, ['g', 'h']);
        assert.deepEqual(asked[0], [0, 'heard']);
        assert.match(String(asked[1]), /^3,request type 307 .GET_CONSUMER_RUNNING_INFO. not supported/);
      },
      {
        handlers: {
          notifyConsumerIdsChanged: ({ consumerGroup }) => {
            told.push(consumerGroup);
            return { remark: 'heard' };
          },
        },
      },
    )();
  });

  test(
    'takes no more requests than it can keep, and none when it was closed',
    scene(
      async ({ env, client }) => {
        await start(env, { heartBeat: () => undefined });
        const waiting = [client.request(address, 'heartBeat', {}), client.request(address, 'heartBeat', {})];
        const ended = Promise.all(waiting.map((request) => assert.rejects(request, failure('closed'))));
        await assert.rejects(client.request(address, 'heartBeat', {}), failure('busy'));
        await client.close();
        await ended;
        await assert.rejects(client.request(address, 'heartBeat', {}), failure('stopped'));
      },
      { limits: { outboundRequestsMax: 2 } },
    ),
  );

  test(
    'closes a connection that it does not need for 120 s, but not under a request',
    scene(async ({ world, env, client }) => {
      const server = await start(env, { heartBeat: () => ({}), getMaxOffset: () => undefined });
      await client.request(address, 'heartBeat', {});
      await world.sleep(100_000);
      assert.equal(server.stats().connections, 1);
      await world.sleep(40_000);
      assert.equal(server.stats().connections, 0);
      await client.request(address, 'heartBeat', {});
      assert.equal(server.stats().connections, 1);
      client.disconnect(address);
      await world.sleep(100);
      assert.equal(server.stats().connections, 0);
    }),
  );

  test(
    'does not believe a server that speaks something else',
    scene(async ({ env, client, world }) => {
      await rawServer(env, (_header, connection) => connection.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')));
      await assert.rejects(client.request(address, 'heartBeat', {}), failure('closed'));
      assert.ok(world.logLines.some((line) => line.includes('remoting.bad-frame')));
    }),
  );

  test(
    'reports a response field that cannot be read',
    scene(async ({ env, client }) => {
      await rawServer(env, (header, connection) => {
        connection.write(frame({ code: 0, flag: 1, opaque: header.opaque, extFields: { offset: 'many' } }));
      });
      await assert.rejects(client.request(address, 'getMaxOffset', { topic: 'T', queueId: 0 }), failure('bad frame'));
    }),
  );
});
