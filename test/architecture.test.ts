import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ambientFaults, exportsOf, importFaults, importsOf, type Source, unusedFaults } from './architecture/rules.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources: Source[] = ['src', 'bin', 'test', 'bench', 'scripts'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') })),
);

/** Processes, what a thread loads, and the modules that the package publishes. */
const entries = ['bin/liftmq.ts', 'src/client/mod.ts', 'src/testing/mod.ts'];

describe('the structure of the sources', () => {
  test('each folder imports only from those before it, through their mod.ts', () => {
    assert.deepEqual(importFaults(sources), []);
  });
  test('nothing but src/io/node touches time, chance or the outside world', () => {
    assert.deepEqual(ambientFaults(sources), []);
  });
  test('every export has a user and every file is reached from a process or a published module', () => {
    assert.deepEqual(unusedFaults(sources, entries), []);
  });
  test('server code starts no processes', () => {
    const starters = sources
      .filter(({ path }) => path.startsWith('src/'))
      .filter((source) => importsOf(source).some(({ target }) => target === 'node:child_process'));
    assert.deepEqual(
      starters.map(({ path }) => path).filter((path) => !path.endsWith('.test.ts')),
      [],
    );
  });
});

describe('the rules themselves', () => {
  const at = (path: string, text: string): Source => ({ path, text });
  test('an import against the order is found', () => {
    assert.equal(importFaults([at('src/message/a.ts', "import { b } from '../store/mod.ts';")]).length, 1);
    assert.equal(importFaults([at('src/store/a.ts', "import type { B } from '../message/mod.ts';")]).length, 0);
  });
  test('an import past mod.ts is found', () => {
    assert.equal(importFaults([at('src/store/a.ts', "import { b } from '../message/record.ts';")]).length, 1);
  });
  test('modules of Node are found outside the adapters, also when imported late', () => {
    assert.equal(importFaults([at('src/store/a.ts', "const fs = await import('node:fs');")]).length, 1);
    assert.equal(importFaults([at('src/io/node/a.ts', "import fs from 'node:fs';")]).length, 0);
    assert.equal(importFaults([at('src/store/a.ts', "import { crc32 } from 'node:zlib';")]).length, 0);
  });
  test('ambient time, chance and I/O are found in code, not in comments or strings', () => {
    for (const code of [
      'const t = Date.now();',
      'const t = new Date();',
      'setTimeout(f, 1);',
      'Math.random()',
      'process.exit(1)',
      `const s = ${'`$'}{Date.now()}${'`'};`,
    ])
      assert.equal(ambientFaults([at('src/broker/a.ts', code)]).length, 1, code);
    for (const code of [
      '// Date.now',
      '/* setTimeout(f) */',
      "const s = 'process.exit';",
      `const s = ${'`'}Date.now ${'$'}{x}${'`'};`,
      'new Date(ms)',
    ])
      assert.deepEqual(ambientFaults([at('src/broker/a.ts', code)]), [], code);
  });
  test('an export without a user and a file without a path to it are found', () => {
    const used = at('src/common/a.ts', 'export const one = 1;\nexport const two = 2;\n');
    const entry = at('bin/liftmq.ts', "import { one } from '../src/common/a.ts';");
    const lost = at('src/common/b.ts', 'const three = 3;');
    assert.deepEqual(unusedFaults([used, entry, lost], ['bin/liftmq.ts']), [
      'src/common/a.ts: export two is used by nobody',
      'src/common/b.ts: reached from no entry point',
    ]);
  });
  test('a type may be exported for the sake of the signatures that mention it', () => {
    const file = at('src/common/a.ts', 'export interface Parts { n: number }\nexport function f(parts: Parts) {}');
    const entry = at('bin/liftmq.ts', "import { f } from '../src/common/a.ts';");
    assert.deepEqual(unusedFaults([file, entry], ['bin/liftmq.ts']), []);
    const lonely = at('src/common/a.ts', 'export interface Parts { n: number }\nexport function f(n: number) {}');
    assert.equal(unusedFaults([lonely, entry], ['bin/liftmq.ts']).length, 1);
  });
  test('exports are read from declarations and lists', () => {
    assert.deepEqual(
      exportsOf(at('src/a/b.ts', 'export async function f() {}\nexport { a as b, type C };\nexport interface D {}')),
      ['f', 'D', 'b', 'C'],
    );
  });
});
