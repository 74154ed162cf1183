import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, Env } from '../io/mod.ts';
import { SimulationFailure } from './scheduler.ts';
import { SimWorld } from './sim-world.ts';

const port = 1000;
const quiet = { onDrain() {} };

/** Sends back what it gets. */
async function echo({ network }: Env): Promise<void> {
  await network.listen({ host: '0.0.0.0', port }, (connection) =>
    connection.start({ ...quiet, onData: (bytes) => connection.write(Uint8Array.from(bytes)), onClose() {} }),
  );
}

interface Caller {
  connection: Connection;
  receivedBytes: number;
  closed: { cause: Error | undefined } | undefined;
}

async function call(env: Env, host: string): Promise<Caller> {
  const connection = await env.network.connect({ host, port }, 5000);
  const caller: Caller = { connection, receivedBytes: 0, closed: undefined };
  connection.start({
    ...quiet,
    onData: (bytes) => {
      caller.receivedBytes += bytes.length;
    },
    onClose: (cause) => {
      caller.closed = { cause };
    },
  });
  return caller;
}

async function busyRun(seed: number): Promise<{ hash: string; events: number }> {
  const world = new SimWorld({ seed });
  await world.run(async () => {
    await echo(world.node('server').env);
    const { env } = world.node('client');
    const caller = await call(env, 'server');
    const file = await env.disk.open('/f', 'create');
    for (let round = 0; round < 50; round++) {
      const bytes = env.random.bytes(1 + env.random.below(5000));
      caller.connection.write(bytes);
      await file.write(bytes, 0, bytes.length, round * 3000);
      if (env.random.below(5) === 0) await file.syncData();
    }
    world.node('server').crash();
    world.node('server').restart();
    await world.until(() => caller.closed !== undefined, 200_000, 'the client learns of the crash');
  });
  return { hash: world.traceHash, events: world.eventCount };
}

test('one seed gives the same run bit for bit, another seed another', async () => {
  const first = await busyRun(1);
  assert.deepEqual(await busyRun(1), first);
  assert.notEqual((await busyRun(2)).hash, first.hash);
  assert.ok(first.events > 200);
});

test('an hour of waiting takes no time', async () => {
  const world = new SimWorld({ seed: 1 });
  const { clock, timers } = world.node('one').env;
  await world.run(async () => {
    const fromMs = clock.monotonicMs();
    await new Promise<void>((resolve) => timers.after(3_000_000, resolve));
    assert.ok(clock.monotonicMs() - fromMs >= 3_000_000);
  });
});

test('a run that waits for nothing fails instead of hanging', async () => {
  const world = new SimWorld({ seed: 1 });
  await assert.rejects(
    world.run(() => new Promise(() => {})),
    /nothing is left to happen/,
  );
});

test('a run over its limit fails', async () => {
  const world = new SimWorld({ seed: 1 });
  world.node('one').env.timers.every(1000, () => {});
  await assert.rejects(
    world.run(() => new Promise(() => {}), 60_000),
    /did not end in its 60000 ms/,
  );
});

test('a throw inside an event ends the run and says where', async () => {
  const world = new SimWorld({ seed: 1 });
  world.node('one').env.timers.after(5, () => {
    throw new Error('broken invariant');
  });
  await assert.rejects(
    world.run(() => world.sleep(100)),
    (error: Error) => {
      assert.ok(error instanceof SimulationFailure);
      assert.match(error.message, /at 5 ms: one\/1 threw in timer .*broken invariant/);
      return true;
    },
  );
});

test('time that stands still is noticed', async () => {
  const world = new SimWorld({ seed: 1 });
  const { timers } = world.node('one').env;
  const again = () => timers.soon(again);
  again();
  await assert.rejects(
    world.run(() => world.sleep(1)),
    /time stands still: one\/1 soon/,
  );
});

test('of a killed process no timer and no answer comes any more', async () => {
  const world = new SimWorld({ seed: 1 });
  const node = world.node('one');
  let happened = 0;
  node.env.timers.after(10, () => {
    happened += 1;
  });
  node.env.disk.makeDirectory('/a').then(() => {
    happened += 1;
  });
  await world.run(async () => {
    node.kill();
    await world.sleep(1000);
    assert.equal(happened, 0);
    node.restart();
    node.env.timers.after(10, () => {
      happened += 1;
    });
    await world.sleep(1000);
    assert.equal(happened, 1);
  });
});

test('waiting for the work of a process ends with the process', async () => {
  const world = new SimWorld({ seed: 1 });
  const node = world.node('one');
  await world.run(async () => {
    const work = node.whileAlive(new Promise(() => {}));
    node.kill();
    await assert.rejects(work, { name: 'ProcessEnded' });
  });
});

test('a killed process takes its port and its connections with it, and a new one can listen', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const server = world.node('server');
    await echo(server.env);
    const caller = await call(world.node('client').env, 'server');
    server.kill();
    await world.until(() => caller.closed !== undefined, 1000, 'closed');
    await assert.rejects(call(world.node('client').env, 'server'), { code: 'ECONNREFUSED' });
    await echo(server.restart());
    await call(world.node('client').env, 'server');
  });
});

test('a machine that lost power says nothing; its peers learn of it when TCP gives up', async () => {
  const world = new SimWorld({ seed: 1, network: { giveUpMs: 30_000 } });
  await world.run(async () => {
    await echo(world.node('server').env);
    const caller = await call(world.node('client').env, 'server');
    world.node('server').crash();
    await world.sleep(10_000);
    const heardNothing = caller.closed === undefined;
    assert.ok(heardNothing);
    await assert.rejects(call(world.node('client').env, 'server'), { code: 'ETIMEDOUT' });
    await world.until(() => caller.closed !== undefined, 30_000, 'given up');
    assert.match(String(caller.closed?.cause), /ETIMEDOUT/);
  });
});

test('over a cut nothing passes, and after it healed all of it in order', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const [server, client] = [world.node('server'), world.node('client')];
    await echo(server.env);
    const caller = await call(client.env, 'server');
    world.cut(server, client);
    caller.connection.write(new Uint8Array(1000));
    await world.sleep(10_000);
    assert.equal(caller.receivedBytes, 0);
    world.heal(server, client);
    await world.until(() => caller.receivedBytes === 1000, 2000, 'all came back');
    assert.equal(caller.closed, undefined);
  });
});

test('a cut in one direction holds up only that direction', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const [server, client] = [world.node('server'), world.node('client')];
    let atServer = 0;
    await server.env.network.listen({ host: '0.0.0.0', port }, (connection) => {
      connection.start({
        ...quiet,
        onData: (bytes) => {
          atServer += bytes.length;
        },
        onClose() {},
      });
      server.env.timers.after(1000, () => connection.write(new Uint8Array(10)));
    });
    const caller = await call(client.env, 'server');
    world.cutOneWay(client, server);
    caller.connection.write(new Uint8Array(500));
    await world.sleep(5000);
    assert.deepEqual([atServer, caller.receivedBytes], [0, 10]);
  });
});

test('a cut that lasts breaks the connection', async () => {
  const world = new SimWorld({ seed: 1, network: { giveUpMs: 20_000 } });
  await world.run(async () => {
    await echo(world.node('server').env);
    const caller = await call(world.node('client').env, 'server');
    world.cut(world.node('server'), world.node('client'));
    caller.connection.write(new Uint8Array(1));
    await world.until(() => caller.closed !== undefined, 21_000, 'given up');
  });
});

test('what onData was given is spoilt after the call', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    let kept: Uint8Array | undefined;
    await world.node('server').env.network.listen({ host: '0.0.0.0', port }, (connection) =>
      connection.start({
        ...quiet,
        onData: (bytes) => {
          kept = bytes;
        },
        onClose() {},
      }),
    );
    const { connection } = await call(world.node('client').env, 'server');
    connection.write(Uint8Array.of(1));
    await world.until(() => kept !== undefined, 1000, 'arrived');
    assert.deepEqual(kept, Uint8Array.of(0xdd));
  });
});

test('a paused process does nothing until it wakes', async () => {
  const world = new SimWorld({ seed: 1 });
  const node = world.node('one');
  const ranMs: number[] = [];
  node.env.timers.after(10, () => ranMs.push(world.nowMs));
  node.pause(500);
  await world.run(() => world.sleep(1000));
  assert.deepEqual(ranMs, [500]);
});

test('a drifting clock counts in its own milliseconds, and a jump moves wall time only', async () => {
  const world = new SimWorld({ seed: 1 });
  const { clock, env } = world.node('one');
  clock.drift(50_000);
  const [monotonicMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
  const ranMs: number[] = [];
  env.timers.after(1050, () => ranMs.push(world.nowMs));
  await world.run(() => world.sleep(2000));
  assert.deepEqual(ranMs, [1000]);
  assert.equal(Math.round(clock.monotonicMs() - monotonicMs), 2100);
  clock.jump(-3_600_000);
  assert.equal(Math.round(clock.monotonicMs() - monotonicMs), 2100);
  assert.equal(clock.wallMs() - wallMs, 2100 - 3_600_000);
});
