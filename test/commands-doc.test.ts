import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commandsDocument, commandsDocumentPath } from '../scripts/commands-doc.ts';

test('docs/commands.md says what the commands table says; `npm run docs` writes it anew', () => {
  const committed = readFileSync(new URL(`../${commandsDocumentPath}`, import.meta.url), 'utf8');
  assert.equal(committed, commandsDocument());
});
