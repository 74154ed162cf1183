/** The published form: packed, installed into an empty folder, and run from there as compiled JavaScript. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, start, stop } from '../process/running.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'liftmq-package-'));
/** The Node that runs this test also runs the package, whatever else is on the machine. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };

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

test('npx liftmq start serves clients, and SIGTERM ends it cleanly', async () => {
  const [nameServer, broker, status] = [await freePort(), await freePort(), await freePort()];
  const ports = ['-D', `namesrv.listenPort=${nameServer}`, '-D', `listenPort=${broker}`, '--http-port', String(status)];
  const running = await start([join(folder, 'node_modules', '.bin', 'liftmq'), 'start', ...ports], {
    cwd: folder,
    env,
    announcement: /The broker\[.*\] boot success\. serializeType/,
  });
  try {
    const ready = await fetch(`http://127.0.0.1:${status}/readyz`);
    assert.equal(ready.status, 200, await ready.text());
    const hello = spawnSync('npx', ['--no', 'liftmq', 'hello', '-n', `127.0.0.1:${nameServer}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    assert.equal(hello.stdout.match(/^received {2}hello \d$/gm)?.length, 5, hello.stdout + hello.stderr);
  } finally {
    assert.equal(await stop(running, 'SIGTERM'), 0);
  }
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
