import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { frame, frameOf, RawPeer } from '../../test/remoting/raw-peer.ts';
import type { Connection, Env } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import {
  type Call,
  type Handlers,
  type Peer,
  type RemotingServer,
  type RemotingServerOptions,
  type Reply,
  ResponseError,
  slotsOf,
  startRemotingServer,
} from './mod.ts';

const main = { host: '0.0.0.0', port: 10911 };
const vip = { host: '0.0.0.0', port: 10909 };
const slots = slotsOf('sendMessageV2');
const send = (opaque: number, extFields: object = {}, flag = 0) =>
  frame({
    code: 310,
    extFields: { a: 'g', b: 'T', c: 'TBW102', d: 4, e: 0, f: 0, g: 1, h: 0, ...extFields },
    flag,
    language: 'JAVA',
    opaque,
    version: 401,
  });

type BrokerHandlers = Partial<Handlers<'broker'>>;

interface Scene {
  world: SimWorld;
  server: RemotingServer;
  env: Env;
  client: Env;
  connect(port?: number): Promise<RawPeer>;
}

/** A broker with some handlers, and a machine to reach it from. */
function scene(
  handlers: BrokerHandlers,
  play: (scene: Scene) => Promise<void>,
  options: Partial<RemotingServerOptions<'broker'>> & { chopped?: boolean } = {},
): () => Promise<void> {
  return async () => {
    const world = new SimWorld({ seed: 1, network: { chopped: options.chopped ?? false } });
    const { env } = world.node('broker');
    const client = world.node('client').env;
    await world.run(async () => {
      const server = await startRemotingServer({
        ...env,
        listen: main,
        vip,
        role: 'broker',
        handlers: handlers as Handlers<'broker'>,
        ...options,
      });
      const connect = (port = main.port) => RawPeer.connect(client, { host: 'broker', port });
      await play({ world, server, env, client, connect });
      await server.close(0);
    });
  };
}

const echo: BrokerHandlers = {
  sendMessageV2: (header, body) => ({
    fields: { msgId: header.text(slots.topic), queueId: header.i32(slots.queueId), queueOffset: 2 ** 40 },
    body,
  }),
  pullMessage: () => ({}),
};

suite('the remoting server answers', () => {
  test(
    'a request with its own opaque, as Java would write it',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      peer.send(send(-5));
      await world.sleep(50);
      const [answer] = peer.take();
      assert.equal(
        answer?.headerBytes.toString(),
        '{"code":0,"extFields":{"msgId":"T","queueId":"0","queueOffset":"1099511627776"},"flag":1,"language":"JAVA",' +
          '"opaque":-5,"serializeTypeCurrentRPC":"JSON","version":513}',
      );
    }),
  );

  test(
    'a binary request in the binary form',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      const entries = Object.entries({ a: 'g', b: 'Tü', c: 'TBW102', d: '4', e: '7', f: '0', g: '1', h: '0' });
      const ext = Buffer.concat(
        entries.map(([name, value]) => {
          const size = Buffer.byteLength(value);
          return Buffer.concat([
            Buffer.from([0, name.length]),
            Buffer.from(name),
            Buffer.from([0, 0, 0, size]),
            Buffer.from(value),
          ]);
        }),
      );
      const fixed = Buffer.from('0136' + '00' + '0201' + '0000002a' + '00000000' + '00000000', 'hex');
      peer.send(frameOf(Buffer.concat([fixed, Buffer.from([0, 0, 0, ext.length]), ext]), 1, Buffer.from('body')));
      await world.sleep(50);
      const [answer] = peer.take();
      assert.equal(answer?.serialization, 1);
      assert.equal(answer?.body.toString(), 'body');
      const fields =
        '00056d73674964' +
        '00000003' +
        '54c3bc' +
        '00077175657565496400000001' +
        '37' +
        '000b71756575654f6666736574' +
        '0000000d' +
        Buffer.from('1099511627776').toString('hex');
      assert.equal(
        answer?.headerBytes.toString('hex'),
        '0000' +
          '00' +
          '0201' +
          '0000002a' +
          '00000001' +
          '00000000' +
          (fields.length / 2).toString(16).padStart(8, '0') +
          fields,
      );
    }),
  );

  test(
    'the same, however the bytes are cut',
    scene(
      echo,
      async ({ world, connect }) => {
        const peer = await connect();
        const large = Buffer.alloc(100_000, 'x');
        const opaques = Array.from({ length: 40 }, (_, index) => index);
        for (const opaque of opaques) {
          const body = opaque % 7 === 0 ? large : Buffer.from(`body ${opaque}`);
          const header = {
            code: 310,
            extFields: { a: 'g', b: `T${opaque}`, c: 'c', d: 4, e: 0, f: 0, g: 1, h: 0 },
            opaque,
          };
          peer.send(frame(header, body));
        }
        await world.sleep(2000);
        const answers = peer.take();
        assert.deepEqual(
          answers.map(({ header }) => header.opaque),
          opaques,
        );
        for (const { header, body } of answers) {
          assert.equal(header.extFields?.msgId, `T${header.opaque}`);
          assert.equal(body.toString(), header.opaque % 7 === 0 ? large.toString() : `body ${header.opaque}`);
        }
      },
      { chopped: true },
    ),
  );

  test(
    'a code that it does not serve with 3 and the reason, and never a one-way request',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      peer.send(
        frame({ code: 424242, opaque: 1 }),
        frame({ code: 105, opaque: 2 }),
        frame({ code: 200050, opaque: 3 }),
        frame({ code: 424242, opaque: 4, flag: 2 }),
        send(5, {}, 2),
        send(6, { b: undefined }, 2),
      );
      await world.sleep(50);
      assert.deepEqual(
        peer.take().map(({ header }) => [header.opaque, header.code, header.remark]),
        [
          [1, 3, 'request type 424242 not supported: no such code in RocketMQ 5.5'],
          [2, 3, 'request type 105 (GET_ROUTEINFO_BY_TOPIC) not supported here: it is for the name server'],
          [
            3,
            3,
            'request type 200050 (POP_MESSAGE) not supported here: it is for a broker, and LiftMQ does not serve it yet',
          ],
        ],
      );
    }),
  );

  test(
    'sends but no long polls at the VIP port',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect(vip.port);
      peer.send(frame({ code: 11, opaque: 1 }), send(2));
      await world.sleep(50);
      const [pull, sent] = peer.take();
      assert.equal(pull?.header.code, 3);
      assert.match(pull?.header.remark ?? '', /PULL_MESSAGE.*VIP port/);
      assert.equal(sent?.header.code, 0);
    }),
  );

  test(
    'what a handler throws: its code and sentence, or code 1 and a line in the log',
    scene(
      {
        getConsumerListByGroup: () => {
          throw new ResponseError(26, 'no such group');
        },
        heartBeat: async () => {
          throw new TypeError('oops');
        },
        getMaxOffset: () => ({ fields: { offset: Number.NaN } }),
        sendMessageV2: () => ({}),
      },
      async ({ world, connect }) => {
        const peer = await connect();
        peer.send(
          frame({ code: 38, opaque: 1 }),
          frame({ code: 34, opaque: 2 }),
          frame({ code: 30, opaque: 3 }),
          send(4, { e: 'x' }),
          send(5, { e: undefined }),
        );
        await world.sleep(50);
        const answers = new Map(peer.take().map(({ header }) => [header.opaque, [header.code, header.remark]]));
        assert.deepEqual(answers.get(1), [26, 'no such group']);
        assert.deepEqual(answers.get(2), [1, 'HEART_BEAT failed: TypeError: oops']);
        assert.equal(answers.get(3)?.[0], 1);
        assert.deepEqual(answers.get(4), [0, undefined], 'nobody read the field');
        assert.deepEqual(answers.get(5), [1, 'SEND_MESSAGE_V2 lacks the header field e (queueId)']);
        assert.equal(world.logLines.filter((line) => line.includes('remoting.handler-failed')).length, 2);
      },
    ),
  );

  test('all that comes due in one turn with one write', async () => {
    const world = new SimWorld({ seed: 1, network: { chopped: false } });
    const { env } = world.node('broker');
    const calls: Call<'heartBeat'>[] = [];
    let writes = 0;
    const counting = (connection: Connection): Connection =>
      new Proxy(connection, {
        get(target, name) {
          if (name === 'write' || name === 'writeAll') writes++;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    await world.run(async () => {
      const network: Env['network'] = {
        ...env.network,
        listen: (endpoint, onConnection) =>
          env.network.listen(endpoint, (connection) => onConnection(counting(connection))),
      };
      const handlers: BrokerHandlers = {
        ...echo,
        heartBeat: (_header, _body, call) => {
          calls.push(call);
          return undefined;
        },
      };
      const server = await startRemotingServer({
        ...env,
        network,
        listen: main,
        role: 'broker',
        handlers: handlers as Handlers<'broker'>,
      });
      const peers = [await RawPeer.connect(world.node('client').env, { host: 'broker', port: main.port })];
      peers.push(await RawPeer.connect(world.node('client').env, { host: 'broker', port: main.port }));
      for (const peer of peers) peer.send(send(1), send(2), send(3));
      await world.sleep(50);
      assert.equal(writes, 2, 'answers within onData');
      for (const peer of peers) peer.send(frame({ code: 34, opaque: 4 }), frame({ code: 34, opaque: 5 }));
      await world.sleep(50);
      for (const call of calls) call.reply({ body: [Buffer.from('a'), Buffer.alloc(5000, 'b'), Buffer.from('c')] });
      await world.sleep(50);
      assert.equal(writes, 4, 'later answers of many connections');
      for (const peer of peers) {
        const answers = peer.take();
        assert.deepEqual(
          answers.map(({ header }) => header.opaque),
          [1, 2, 3, 4, 5],
        );
        assert.equal(answers[4]?.body.toString(), `a${'b'.repeat(5000)}c`);
      }
      await server.close(0);
    });
  });

  test('in time for nobody: an answer after the peer has gone is dropped, and its body given back', async () => {
    let reply: ((answer: Reply<'heartBeat'>) => void) | undefined;
    let taken = 0;
    let gone = 0;
    await scene(
      {
        heartBeat: (_header, _body, call) => {
          reply = (answer) => call.reply(answer);
          call.peer.onClose(() => gone++);
          return undefined;
        },
      },
      async ({ world, connect, server }) => {
        const peer = await connect();
        peer.send(frame({ code: 34, opaque: 1 }));
        await world.sleep(50);
        assert.equal(server.stats().inFlight, 1);
        peer.connection.destroy();
        await world.sleep(50);
        assert.equal(gone, 1);
        reply?.({ body: Buffer.from('late'), taken: () => taken++ });
        assert.equal(taken, 1);
        assert.equal(server.stats().inFlight, 0);
      },
    )();
  });
});

suite('the remoting server closes', () => {
  const prefix = (length: number, header: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(length);
    bytes.writeInt32BE(header, 4);
    return bytes;
  };
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`f${index}`, 'x']));
  const bad: [what: string, bytes: Buffer, reason: RegExp][] = [
    ['a frame of length zero', Buffer.from([0, 0, 0, 0]), /length 0/],
    ['a frame shorter than its own prefix', prefix(3, 0), /length 3/],
    ['a frame beyond 16 MiB', prefix(0xffffff, 0), /16777219 bytes: the limit is 16777216/],
    ['a header longer than its frame', prefix(20, 30), /header of 30 bytes in a frame of 24/],
    ['a header beyond 256 KiB', prefix(300_000, 262_145), /262145 bytes: the limit is 262144/],
    ['an unknown serialization', frameOf(Buffer.from('{}'), 2), /serialization type 2/],
    ['a header that is no JSON', frame('{"code":10'), /not JSON/],
    ['a header that is no object', frame('[1]'), /not an object/],
    ['an empty header', frame(''), /not JSON/],
    ['a deep header', frame(`{"x":${'['.repeat(9)}${']'.repeat(9)}}`), /nested deeper than 8/],
    ['a header of endless brackets', frame('['.repeat(200_000)), /nested deeper than 8/],
    ['too many fields', frame({ code: 310, extFields: many }), /129 extFields/],
    ['nested fields', frame({ code: 310, extFields: { b: { c: 1 } } }), /hold an object: b/],
    ['fields that are a list', frame({ code: 310, extFields: ['b'] }), /extFields is not an object/],
    ['a code beyond 32 bits', frame('{"code":4294967296}'), /code is not a 32-bit number/],
    ['an opaque that is a fraction', frame('{"code":310,"opaque":1.5}'), /opaque is not/],
    ['a binary header that ends early', frameOf(Buffer.alloc(12), 1), /ends too early/],
    [
      'a binary header with a negative length',
      frameOf(Buffer.from('000a00020100000000' + '00000000' + 'ffffffff' + '00000000', 'hex'), 1),
      /length of -1/,
    ],
    [
      'a binary header whose fields pass its end',
      frameOf(Buffer.from('000a00020100000000' + '00000000' + '00000000' + '00000004' + '7fff6161', 'hex'), 1),
      /length of 32767/,
    ],
    ['a negative length', Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), /no RocketMQ frame \(ffffffff/],
    ['the largest length', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]), /no RocketMQ frame/],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1]), /TLS, which is not served yet: connect without it/],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /an HTTP request \(GET\)/],
    ['gRPC', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /HTTP\/2, as gRPC clients send it/],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9\r\n'), /SSH/],
    ['a malformed PROXY line', Buffer.from('PROXY TCP4 999.1.1.1 2.2.2.2 1 2\r\n'), /malformed PROXY v1/],
    ['a PROXY line without an end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`), /PROXY v1 line without an end/],
    ['two PROXY headers', Buffer.from('PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n'), /a second PROXY header/],
    ['a PROXY v2 header of version 3', Buffer.from('0d0a0d0a000d0a515549540a31110000', 'hex'), /malformed PROXY v2/],
  ];
  for (const [what, bytes, reason] of bad) {
    test(
      `${what}, with a line that says so`,
      scene(echo, async ({ world, connect, server }) => {
        const peer = await connect();
        peer.send(bytes);
        await world.sleep(50);
        assert.ok(peer.closed);
        const lines = world.logLines.filter((line) => line.includes(' warn '));
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? '', reason);
        assert.equal(server.stats().badFramesTotal, 1);
        assert.equal(server.stats().connections, 0);
        assert.equal(server.stats().heldBytes, 0);
      }),
    );
  }

  test(
    'a bad frame behind good ones, which are answered first',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      peer.send(send(1), send(2), frame('nonsense'));
      await world.sleep(50);
      assert.ok(peer.closed);
      assert.deepEqual(
        peer.take().map(({ header }) => header.opaque),
        [1, 2],
      );
    }),
  );

  test(
    'a flood of nonsense without flooding the log',
    scene(echo, async ({ world, connect, server }) => {
      for (let index = 0; index < 100; index++) (await connect()).send(Buffer.from('nonsense'));
      await world.sleep(3000);
      assert.equal(server.stats().badFramesTotal, 100);
      const lines = world.logLines.filter((line) => line.includes(' warn '));
      assert.ok(lines.length < 60, `${lines.length} lines`);
      assert.ok(lines.some((line) => line.includes('more warnings about peers were left out')));
    }),
  );

  test(
    'who says nothing for 10 s',
    scene(echo, async ({ world, connect }) => {
      const silent = await connect();
      const undecided = await connect();
      undecided.send(Buffer.from('PROX'));
      await world.sleep(9000);
      assert.ok(!silent.closed && !undecided.closed);
      await world.sleep(2500);
      assert.ok(silent.closed && undecided.closed);
    }),
  );

  test(
    'a frame that trickles, but not one that comes at 1 KiB/s or faster',
    scene(echo, async ({ world, connect }) => {
      const slow = await connect();
      const steady = await connect();
      const whole = frame({ code: 310, opaque: 1 }, Buffer.alloc(200_000));
      slow.send(whole.subarray(0, 100));
      for (let second = 0; second < 60; second++) {
        slow.send(whole.subarray(100 + second, 101 + second));
        steady.send(whole.subarray(second * 2048, (second + 1) * 2048));
        await world.sleep(1000);
        if (second === 28) assert.ok(!slow.closed);
      }
      assert.ok(slow.closed);
      assert.ok(!steady.closed);
    }),
  );

  test(
    'nobody who is always in the middle of some frame',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      const whole = send(1);
      peer.send(whole.subarray(0, 50));
      for (let second = 0; second < 90; second++) {
        peer.send(whole.subarray(50), whole.subarray(0, 50));
        await world.sleep(1000);
      }
      assert.ok(!peer.closed);
      assert.equal(peer.take().length, 90);
    }),
  );

  test(
    'who is idle for 120 s in both directions',
    scene(echo, async ({ world, connect }) => {
      const peer = await connect();
      peer.send(send(1));
      await world.sleep(118_000);
      assert.ok(!peer.closed);
      peer.send(send(2));
      await world.sleep(118_000);
      assert.ok(!peer.closed);
      await world.sleep(5000);
      assert.ok(peer.closed);
    }),
  );
});

suite('a PROXY header', () => {
  let seen: Peer | undefined;
  const handlers: BrokerHandlers = {
    heartBeat: (_header, _body, call) => {
      seen = call.peer;
      return {};
    },
  };
  const v2 = (command: number, family: number, addresses: string) => {
    const rest = Buffer.from(addresses, 'hex');
    const head = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
    return Buffer.concat([head, Buffer.from([0x20 | command, family, 0, rest.length]), rest]);
  };
  for (const [what, header, host, port, ip] of [
    ['v1, TCP4', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n'), '192.0.2.1', 56324, 'c0000201'],
    [
      'v1, TCP6',
      Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 2\r\n'),
      '2001:db8::1',
      1,
      '20010db8000000000000000000000001',
    ],
    ['v2, IPv4 with a TLV', v2(1, 0x11, 'c0000201c6336407dc0401bb030004a1b2c3d4'), '192.0.2.1', 56324, 'c0000201'],
    [
      'v2, mapped IPv4',
      v2(1, 0x21, `00000000000000000000ffffc0000201${'00'.repeat(16)}dc0401bb`),
      '192.0.2.1',
      56324,
      'c0000201',
    ],
    [
      'v2, IPv6',
      v2(1, 0x21, `20010db8000000000000000000000001${'00'.repeat(16)}000101bb`),
      '2001:db8:0:0:0:0:0:1',
      1,
      '20010db8000000000000000000000001',
    ],
    ['v1, unknown source', Buffer.from('PROXY UNKNOWN\r\n'), '10.0.0.2', undefined, '0a000002'],
    ['v2, local', v2(0, 0, ''), '10.0.0.2', undefined, '0a000002'],
  ] as const) {
    for (const chopped of [false, true]) {
      test(
        `(${what}) gives the peer its address${chopped ? ', in pieces' : ''}`,
        scene(handlers, async ({ world, connect }) => {
          seen = undefined;
          const peer = await connect();
          if (chopped) {
            for (const byte of header) {
              peer.send(Buffer.from([byte]));
              await world.sleep(5);
            }
          } else peer.send(header);
          peer.send(frame({ code: 34, opaque: 1 }));
          await world.sleep(50);
          assert.equal(peer.take().length, 1);
          const { host: seenHost, port: seenPort, ip: seenIp } = seen ?? assert.fail('no request came');
          assert.equal(seenHost, host);
          assert.equal(seenPort, port ?? peer.connection.local.port);
          assert.equal(Buffer.from(seenIp).toString('hex'), ip);
        }),
      );
    }
  }
});

suite('the remoting server holds its limits', () => {
  test('a peer that does not read its answers is not read either, and loses nothing', async () => {
    const body = Buffer.alloc(65_536, 'x');
    let served = 0;
    let taken = 0;
    await scene(
      {
        getConsumerListByGroup: () => {
          served++;
          return { body, taken: () => taken++ };
        },
      },
      async ({ world, connect, server }) => {
        const peer = await connect();
        peer.connection.pause();
        const requests = Array.from({ length: 200 }, (_, opaque) => frame({ code: 38, opaque }));
        peer.send(...requests);
        await world.sleep(1000);
        assert.ok(served < 40, `${served} answers were made for one who takes none`);
        assert.ok(server.stats().heldBytes < 3 * 1024 * 1024);
        assert.ok(taken < served);
        peer.connection.resume();
        await world.sleep(20_000);
        assert.equal(served, 200);
        assert.equal(taken, 200);
        assert.deepEqual(
          peer.take().map(({ header }) => header.opaque),
          requests.map((_, opaque) => opaque),
        );
        assert.equal(server.stats().heldBytes, 0);
      },
      { limits: { outputSizeMax: 1024 * 1024 } },
    )();
  });

  test(
    'too many requests under way on one connection: SYSTEM_BUSY with the reason',
    scene(
      { heartBeat: () => undefined },
      async ({ world, connect, server }) => {
        const peer = await connect();
        const other = await connect();
        peer.send(frame({ code: 34, opaque: 7, flag: 2 }));
        peer.send(...Array.from({ length: 5 }, (_, opaque) => frame({ code: 34, opaque })));
        other.send(frame({ code: 34, opaque: 9 }));
        await world.sleep(50);
        assert.deepEqual(
          peer.take().map(({ header }) => [header.opaque, header.code]),
          [
            [3, 2],
            [4, 2],
          ],
        );
        assert.equal(other.take().length, 0);
        assert.equal(server.stats().refusedBusyTotal, 2);
      },
      { limits: { inFlightMax: 3 } },
    ),
  );

  test('over the byte budget the greedy are refused, and the modest are served', async () => {
    const body = Buffer.alloc(100_000, 'x');
    await scene(
      { getConsumerListByGroup: () => ({ body }) },
      async ({ world, connect, server }) => {
        const greedy = await connect();
        const modest = await connect();
        greedy.connection.pause();
        for (let opaque = 0; opaque < 40; opaque++) {
          greedy.send(frame({ code: 38, opaque }));
          await world.sleep(5);
        }
        modest.send(frame({ code: 38, opaque: 77 }));
        await world.sleep(100);
        assert.deepEqual(
          modest.take().map(({ header }) => header.code),
          [0],
        );
        assert.ok(server.stats().refusedBusyTotal > 0);
        assert.ok(server.stats().heldBytes < 2_000_000);
        greedy.connection.resume();
        await world.sleep(2000);
        const codes = greedy.take().map(({ header }) => header.code);
        assert.equal(codes.length, 40);
        assert.ok(codes.includes(2) && codes.includes(0));
      },
      { limits: { heldBytesBudget: 1_000_000 } },
    )();
  });

  test(
    'half frames over the byte budget are not waited for',
    scene(
      echo,
      async ({ world, connect, server }) => {
        const peers = [await connect(), await connect(), await connect()];
        const half = frame({ code: 310 }, Buffer.alloc(1_000_000)).subarray(0, 900_000);
        for (const peer of peers) {
          peer.send(half);
          await world.sleep(1000);
        }
        assert.ok(server.stats().heldBytes < 2_000_000);
        assert.ok(peers.some(({ closed }) => closed));
        assert.ok(peers.some(({ closed }) => !closed));
      },
      { limits: { heldBytesBudget: 1_000_000 } },
    ),
  );

  test(
    'connections in all and from one address, and says why',
    scene(
      echo,
      async ({ world, connect, server }) => {
        const peers = [await connect(), await connect(), await connect()];
        const elsewhere = await RawPeer.connect(world.node('elsewhere').env, { host: 'broker', port: main.port });
        const tooMany = await RawPeer.connect(world.node('third').env, { host: 'broker', port: main.port });
        await world.sleep(50);
        assert.deepEqual(
          peers.map(({ closed }) => closed),
          [false, false, true],
        );
        assert.ok(!elsewhere.closed && tooMany.closed);
        assert.equal(server.stats().refusedConnectionsTotal, 2);
        assert.ok(world.logLines.some((line) => line.includes('2 connections from one address are the limit')));
        peers[0]?.connection.destroy();
        await world.sleep(50);
        const again = await connect();
        await world.sleep(50);
        assert.ok(!again.closed);
      },
      { limits: { connectionsMax: 3, connectionsPerAddressMax: 2 } },
    ),
  );

  test(
    'the descriptors that the store needs',
    scene(
      echo,
      async ({ world, connect }) => {
        const peers = [await connect(), await connect(), await connect()];
        await world.sleep(50);
        assert.deepEqual(
          peers.map(({ closed }) => closed),
          [false, false, true],
        );
        assert.ok(world.logLines.some((line) => line.includes('the limit of open files is near')));
      },
      { host: { fileDescriptors: () => ({ limit: 1000, open: 486 }) } },
    ),
  );

  test('the descriptors that the store took since', async () => {
    let open = 100;
    await scene(
      echo,
      async ({ world, connect }) => {
        const early = await connect();
        open = 489;
        await world.sleep(12_000);
        const late = await connect();
        await world.sleep(50);
        assert.ok(late.closed);
        early.connection.destroy();
      },
      { host: { fileDescriptors: () => ({ limit: 1000, open }) } },
    )();
  });
});

suite('the remoting server and its peers', () => {
  test('it asks clients over their own connection, and hears in time or not at all', async () => {
    const heard: string[] = [];
    await scene(
      {
        heartBeat: (_header, _body, { peer }) => {
          for (const timeoutMs of [100, 1000]) {
            peer.request('getConsumerStatusFromClient', { topic: 'T', group: 'g' }, undefined, timeoutMs).then(
              (response) => heard.push(`${response.code} ${response.body.toString()}`),
              (error) => heard.push(error.failure),
            );
          }
          peer.notify('notifyConsumerIdsChanged', { consumerGroup: 'g' });
          return {};
        },
      },
      async ({ world, connect }) => {
        const peer = await connect();
        peer.send(frame({ code: 34, opaque: 0 }));
        await world.sleep(500);
        const requests = peer.take();
        assert.deepEqual(
          requests.map(({ header }) => [header.code, header.flag]),
          [
            [221, 0],
            [221, 0],
            [40, 2],
            [0, 1],
          ],
        );
        for (const { header } of requests.slice(0, 2))
          peer.send(frame({ code: 0, flag: 1, opaque: header.opaque }, Buffer.from('b')));
        await world.sleep(50);
        assert.deepEqual(heard, ['timeout', '0 98']);
        peer.send(frame({ code: 34, opaque: 1 }));
        await world.sleep(20);
        peer.connection.destroy();
        await world.sleep(20);
        assert.deepEqual(heard.slice(2), ['closed', 'closed']);
      },
    )();
  });

  test(
    'going away, it sends newer clients elsewhere and serves the others',
    scene(echo, async ({ world, connect, server }) => {
      const peer = await connect();
      server.goAway();
      const request = { code: 310, extFields: { a: 'g', b: 'T', c: 'c', d: 4, e: 0, f: 0, g: 1, h: 0 } };
      peer.send(frame({ ...request, opaque: 1, version: 475 }), frame({ ...request, opaque: 2, version: 477 }));
      peer.send(frame({ ...request, opaque: 3, version: 477, flag: 2 }));
      await world.sleep(50);
      assert.equal(server.stats().requestsByCommand.get('SEND_MESSAGE_V2'), 2, 'a one-way request is not lost');
      assert.deepEqual(
        peer.take().map(({ header }) => [header.opaque, header.code]),
        [
          [1, 0],
          [2, 1500],
        ],
      );
    }),
  );

  test('closing, it lets the answers under way leave', async () => {
    let finish: (() => void) | undefined;
    await scene(
      {
        heartBeat: (_header, _body, call) => {
          finish = () => call.reply({ remark: 'done' });
          return undefined;
        },
      },
      async ({ world, connect, server, client }) => {
        const peer = await connect();
        peer.send(frame({ code: 34, opaque: 1 }));
        await world.sleep(50);
        const closing = server.close(5000);
        await world.sleep(1000);
        await assert.rejects(client.network.connect({ host: 'broker', port: main.port }, 1000));
        assert.ok(!peer.closed);
        finish?.();
        await closing;
        await world.sleep(50);
        assert.ok(peer.closed);
        assert.equal(peer.take()[0]?.header.remark, 'done');
      },
    )();
  });
});
