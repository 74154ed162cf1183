/** The published form: packed, installed into an empty folder, and run from there as compiled JavaScript. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'liftmq-package-'));
/** The Node that runs this test also runs the package, whatever else is on the machine. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
const startLimitMs = 20_000;

before(() => {
  const [{ filename }]: [{ filename: string }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
      cwd: root,
      env,
      encoding: 'utf8',
    }),
  );
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, filename)], {
    cwd: folder,
    env,
    stdio: 'pipe',
  });
});

after(() => rmSync(folder, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** Resolves when the start was announced; rejects with the output when the process ends before. */
async function announced(child: ChildProcess): Promise<string> {
  let output = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const collect = (chunk: Buffer) => {
    output += chunk;
    if (/The broker\[.*\] boot success/.test(output)) resolve(output);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  child.on('exit', (code) => reject(new Error(`ended with ${code}:\n${output}`)));
  const late = setTimeout(() => reject(new Error(`not up after ${startLimitMs} ms:\n${output}`)), startLimitMs);
  return promise.finally(() => clearTimeout(late));
}

test('npx liftmq start serves clients, and SIGTERM ends it cleanly', async () => {
  const [nameServerPort, brokerPort, statusPort] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(
    join(folder, 'node_modules', '.bin', 'liftmq'),
    [
      'start',
      '-D',
      `namesrv.listenPort=${nameServerPort}`,
      '-D',
      `listenPort=${brokerPort}`,
      '--http-port',
      `${statusPort}`,
    ],
    { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  try {
    const output = await announced(child);
    assert.match(output, new RegExp(`name server +127\\.0\\.0\\.1:${nameServerPort}`));
    const ready = await fetch(`http://127.0.0.1:${statusPort}/readyz`);
    assert.equal(ready.status, 200, await ready.text());
    const hello = spawnSync('npx', ['--no', 'liftmq', 'hello', '-n', `127.0.0.1:${nameServerPort}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    assert.equal(hello.stdout.match(/^received {2}hello \d$/gm)?.length, 5, hello.stdout + hello.stderr);
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.ok(!readdirSync(join(folder, 'data', 'store')).includes('abort'), 'a clean stop leaves no abort file');
});

test('the client can be imported, with its types', () => {
  writeFileSync(
    join(folder, 'user.ts'),
    "import { Client, Producer } from 'liftmq/client';\nconst kinds: [typeof Client, typeof Producer] = [Client, Producer];\nconsole.log(kinds.length);\n",
  );
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck', 'false'];
  const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
  const checked = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), [...options, ...types, 'user.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(checked.status, 0, checked.stdout);
  assert.equal(execFileSync(process.execPath, ['user.ts'], { cwd: folder, encoding: 'utf8' }), '2\n');
});
