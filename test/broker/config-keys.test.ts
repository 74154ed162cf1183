/** What the tables of configuration keys say is true. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brokerRows } from '../../src/broker/mod.ts';
import { nameServerConfigRows } from '../../src/namesrv/mod.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const tables = ['src/**/*.test.ts', 'src/**/*config-rows.ts', 'src/store/store-config.ts', 'src/namesrv/config.ts'];

/** All sources but the tables and the tests, without comments. */
const sources = globSync('{src,bin}/**/*.ts', { cwd: root, exclude: tables })
  .map((path) => readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''))
  .join('\n');

test('every key that is called supported is read by something', () => {
  const unread = [...brokerRows, ...nameServerConfigRows]
    .filter(({ name, status }) => status === 'supported' && !new RegExp(`\\b${name}\\b`).test(sources))
    .map(({ name }) => name);
  assert.deepEqual(unread, []);
});
