import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { defects } from './defects.ts';
import { applyHunks, changedLines, parsePatch } from './patch.ts';
import { defectsDocument, documentPath, fingerprintOf, patchText, readResults, root } from './results.ts';

const mutants = defects.flatMap(({ number, shown }) => ('patch' in shown ? [{ number, mutant: shown }] : []));

describe('the table of defects', () => {
  test('has a row for each of the 77', () => {
    assert.deepEqual(
      defects.map(({ number }) => number),
      Array.from({ length: 77 }, (_, index) => index + 1),
    );
  });

  test('names patches and tests that exist, and every patch is named', () => {
    const patches = readdirSync(join(root, 'test/mutants')).filter((name) => name.endsWith('.patch'));
    assert.deepEqual(
      patches.sort(),
      mutants.map(({ mutant }) => `${mutant.patch}.patch`),
    );
    for (const { number, mutant } of mutants) {
      assert.ok(mutant.patch.startsWith(String(number).padStart(2, '0')), mutant.patch);
      assert.ok(
        mutant.simulation !== undefined || (mutant.tests ?? []).length > 0,
        `${mutant.patch}: nothing catches it`,
      );
      for (const path of mutant.tests ?? []) assert.ok(existsSync(join(root, path)), `${mutant.patch}: ${path}`);
    }
  });

  for (const { mutant } of mutants) {
    test(`${mutant.patch} still applies`, () => {
      for (const file of parsePatch(patchText(mutant.patch))) {
        assert.match(file.path, /^src\/(?!.*\.test\.ts$)/, 'a mutant is a change of the product');
        const text = readFileSync(join(root, file.path), 'utf8');
        // What does not parse would be noticed by anything.
        stripTypeScriptTypes(applyHunks(text, file));
      }
    });
  }

  test('each mutant was caught when it was last tried, as it is now', () => {
    const results = readResults();
    for (const { number, mutant } of mutants) {
      const again = `npm run mutants -- --only ${number}`;
      const result = results[number];
      assert.equal(
        result?.fingerprint,
        fingerprintOf(mutant.patch),
        `${mutant.patch} was not tried as it is: ${again}`,
      );
      const catchers = [...(mutant.simulation === undefined ? [] : ['simulation']), ...(mutant.tests ?? [])];
      for (const catcher of catchers) {
        assert.ok(result.findings[catcher]?.failure !== undefined, `${mutant.patch} survived ${catcher}: ${again}`);
      }
    }
  });

  test(`${documentPath} is what the results say`, () => {
    assert.equal(readFileSync(join(root, documentPath), 'utf8'), defectsDocument(readResults()));
  });
});

describe('a patch', () => {
  const patch = 'Why.\n--- a/src/a.ts\n+++ b/src/a.ts\n@@\n one\n-two\n+2\n three\n';
  const [file = { path: '', hunks: [] }] = parsePatch(patch);

  test('goes by its lines, wherever they are', () => {
    assert.equal(file.path, 'src/a.ts');
    assert.equal(applyHunks('zero\none\ntwo\nthree\n', file), 'zero\none\n2\nthree\n');
  });

  test('that does not fit, or fits twice, is refused', () => {
    assert.throws(() => applyHunks('one\ntwo\n', file), /no such lines/);
    assert.throws(() => applyHunks('one\ntwo\nthree\none\ntwo\nthree\n', file), /more than once/);
    assert.throws(() => parsePatch('no patch'), /no hunks/);
  });

  test('is the same as long as it changes the same lines', () => {
    assert.equal(changedLines(patch), '-two\n+2');
  });
});
