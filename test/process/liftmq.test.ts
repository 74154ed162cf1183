/** The command as a user meets it: what it says, how it ends. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, type Running, run, start, stop } from './running.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'liftmq-process-'));
const liftmq = (...args: string[]) => [process.execPath, join(root, 'bin', 'liftmq.ts'), ...args] as const;

after(() => rmSync(folder, { recursive: true, force: true }));

interface Ports {
  nameServer: number;
  broker: number;
  status: number;
}

async function ports(): Promise<Ports> {
  return { nameServer: await freePort(), broker: await freePort(), status: await freePort() };
}

function flags({ nameServer, broker, status }: Ports): string[] {
  return ['-D', `namesrv.listenPort=${nameServer}`, '-D', `listenPort=${broker}`, '--http-port', String(status)];
}

function startBoth(at: Ports, ...more: string[]): Promise<Running> {
  const announcement = /The broker\[.*\] boot success\. serializeType=JSON and name server is/;
  return start(liftmq('start', ...flags(at), ...more), { cwd: folder, announcement });
}

function tryStart(...args: string[]) {
  return run(liftmq(...args, '--log-level', 'error'), { cwd: folder });
}

describe('liftmq start', () => {
  test('says where it listens and that only this machine can connect, is ready, measures itself, and stops cleanly', async () => {
    const at = await ports();
    const running = await startBoth(at, '--data', 'one');
    assert.match(running.announced, new RegExp(`name server +127\\.0\\.0\\.1:${at.nameServer}\\n`));
    assert.match(
      running.announced,
      new RegExp(`broker +127\\.0\\.0\\.1:${at.broker}, .* clients are told 127\\.0\\.0\\.1`),
    );
    assert.match(running.announced, /Only this machine can connect/);
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${at.status}${path}`)).text();
    assert.equal(await get('/readyz'), '{"ready":true,"parts":{"name server":"ready","broker":"ready"}}\n');
    const metrics = await get('/metrics');
    assert.match(metrics, /^liftmq_event_loop_delay_milliseconds\{quantile="0.99"\} [\d.]+$/m);
    assert.match(metrics, /^liftmq_namesrv_brokers 1$/m);
    assert.match(metrics, /^liftmq_store_writable\{cluster="DefaultCluster",.*\} 1$/m);
    // As with Ctrl-C below npm: once from the terminal, once from the launcher.
    running.child.kill('SIGINT');
    assert.equal(await stop(running, 'SIGINT'), 0);
    assert.equal(existsSync(join(folder, 'one/store/abort')), false);
  });

  test('a second process on the same directory, or on a taken port, ends with one sentence that says so', async () => {
    const at = await ports();
    const running = await startBoth(at, '--data', 'two');
    const others = await ports();
    const directory = await tryStart('start', ...flags(others), '--data', 'two');
    assert.equal(directory.code, 1);
    assert.match(
      directory.output,
      /^liftmq: the store directory .*two\/store cannot be used: .* is in use by process \d+/,
    );
    const port = await tryStart('start', ...flags({ ...others, nameServer: at.nameServer }), '--data', 'three');
    assert.equal(port.code, 1);
    assert.match(port.output, new RegExp(`^liftmq: .*127\\.0\\.0\\.1:${at.nameServer}: another process listens there`));
    assert.equal(await stop(running, 'SIGTERM'), 0);
  });

  test('a directory that holds something else is refused', async () => {
    mkdirSync(join(folder, 'other/store'), { recursive: true });
    writeFileSync(join(folder, 'other/store/letter.txt'), 'dear');
    const { code, output } = await tryStart('start', ...flags(await ports()), '--data', 'other');
    assert.equal(code, 1);
    assert.match(output, /^liftmq: .*neither empty nor a RocketMQ store \(it has letter.txt\)/);
  });
});

test('a place where no directory can be made is refused at once', async () => {
  writeFileSync(join(folder, 'file'), '');
  const places = process.platform === 'linux' ? ['file', 'file/x', '/proc/x/y'] : ['file', 'file/x'];
  for (const place of places) {
    const { code, output } = await tryStart('start', ...flags(await ports()), '--data', place);
    assert.equal(code, 1, place);
    assert.match(output, /^liftmq: .*(ENOENT|ENOTDIR).*; choose another directory with --data\n$/);
  }
});

test('every key that forbids the start is named, each with its reason', async () => {
  writeFileSync(join(folder, 'broker.conf'), 'brokerId=1\nlistenPort=high\nbrokerName=b\n');
  const { code, output } = await tryStart('broker', '-c', 'broker.conf', '--data', 'four');
  assert.equal(code, 1);
  assert.match(
    output,
    /^liftmq: the configuration forbids the start: brokerId=1 is not supported: .*; listenPort=high: must be/,
  );
});

test('an unknown key gets a warning that names the nearest one', async () => {
  const args = ['-D', 'listenPort=0', '-D', 'suportActingMaster=true', '--data', 'five', '--http-port', '0'];
  const running = await start(liftmq('namesrv', ...args), {
    cwd: folder,
    announcement: /The Name Server boot success/,
  });
  assert.match(running.announced, /unknown key suportActingMaster: did you mean supportActingMaster\?/);
  assert.equal(await stop(running, 'SIGTERM'), 0);
});

test('a missing configuration file, a wrong flag and an unreachable name server are said in a line', async () => {
  assert.match(
    (await tryStart('broker', '-c', 'none.conf')).output,
    /^liftmq: the configuration file cannot be read: ENOENT/,
  );
  assert.match((await tryStart('broker', '--http-port', 'x')).output, /argument 'x' is invalid. write a port/);
  const hello = await run(liftmq('hello', '-n', `127.0.0.1:${await freePort()}`), { cwd: folder });
  assert.equal(hello.code, 1);
  assert.match(hello.output, /^liftmq: .+\n$/);
});

test('the store commands look beside a running broker, repair only without one, and say all that in exit codes', async () => {
  const at = await ports();
  const running = await startBoth(at, '--data', 'tools');
  const store = join(folder, 'tools', 'store');
  const hello = await run(liftmq('hello', '-n', `127.0.0.1:${at.nameServer}`), { cwd: folder });
  assert.equal(hello.code, 0, hello.output);
  const beside = await run(liftmq('store', 'recover', store), { cwd: folder });
  assert.deepEqual([beside.code, /stop the broker first/.test(beside.output)], [2, true], beside.output);
  assert.equal((await run(liftmq('store', 'verify', store), { cwd: folder })).code, 0);
  await stop(running, 'SIGTERM');
  const verified = await run(liftmq('store', 'verify', store, '--json'), { cwd: folder });
  assert.equal(verified.code, 0, verified.output);
  assert.match(verified.output, /"sound":true.*"records":5/);
  const dumped = await run(liftmq('store', 'dump', store, '--topic', 'HelloLiftMQ', '--body', '--limit', '2'), {
    cwd: folder,
  });
  assert.match(dumped.output, /^\d{20} {2}HelloLiftMQ\/\d@0 .* "hello 1"\n.* "hello 2"\n$/);
  const rebuild = await run(liftmq('store', 'recover', store, '--rebuild'), { cwd: folder });
  assert.deepEqual([rebuild.code, /Nothing was changed/.test(rebuild.output)], [1, true]);
  assert.equal((await run(liftmq('store', 'recover', store, '--rebuild', '--yes'), { cwd: folder })).code, 0);
  const nothing = await run(liftmq('store', 'verify', join(folder, 'nothing')), { cwd: folder });
  assert.deepEqual([nothing.code, /no segments of a commit log/.test(nothing.output)], [2, true]);
});
