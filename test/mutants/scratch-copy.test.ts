import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePatch } from './patch.ts';
import { ScratchCopy } from './scratch-copy.ts';

test('a copy is patched and restored, holds no links, and goes without taking anything along', () => {
  const root = mkdtempSync(join(tmpdir(), 'scratch-copy-'));
  try {
    for (const folder of ['src', 'test/golden', 'bin', 'outside']) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
    writeFileSync(join(root, 'src/a.ts'), 'one\ntwo\n');
    writeFileSync(join(root, 'outside/kept'), '');
    symlinkSync(join(root, 'outside'), join(root, 'src/link'));
    const copy = new ScratchCopy(root);
    assert.ok(copy.path.startsWith(join(root, '.cache')));
    assert.deepEqual(
      ['src/link', 'test/golden', 'outside'].filter((path) => existsSync(join(copy.path, path))),
      [],
    );
    copy.apply(parsePatch('--- a/src/a.ts\n+++ b/src/a.ts\n@@\n-two\n+2\n'));
    assert.equal(readFileSync(join(copy.path, 'src/a.ts'), 'utf8'), 'one\n2\n');
    assert.equal(readFileSync(join(root, 'src/a.ts'), 'utf8'), 'one\ntwo\n');
    copy.restore();
    assert.equal(readFileSync(join(copy.path, 'src/a.ts'), 'utf8'), 'one\ntwo\n');
    copy.remove();
    assert.equal(existsSync(copy.path), false);
    assert.ok(existsSync(join(root, 'outside/kept')));
  } finally {
    rmSync(root, { recursive: true });
  }
});
