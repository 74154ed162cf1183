import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTagExpression, tagsCodeMatcher } from './mod.ts';

test('nothing, an empty text and a star mean every message', () => {
  for (const expression of [undefined, null, '', '*']) {
    const parsed = parseTagExpression(expression);
    assert.deepEqual(parsed, { subString: '*', tagsSet: [], codeSet: [] });
    assert.equal(tagsCodeMatcher({ subString: '*', codeSet: [] }), undefined);
  }
});

test('tags between bars are trimmed, taken once, and hashed as Java does', () => {
  const parsed = parseTagExpression(' TagA||TagB || TagA|| ');
  assert.deepEqual(parsed, {
    subString: ' TagA||TagB || TagA|| ',
    tagsSet: ['TagA', 'TagB'],
    codeSet: [2598919, 2598920],
  });
});

test('bars alone are refused; with blanks between them they match nothing', () => {
  assert.equal(parseTagExpression('||'), undefined);
  assert.equal(parseTagExpression('||||'), undefined);
  const blanks = parseTagExpression(' || ');
  assert.deepEqual(blanks, { subString: ' || ', tagsSet: [], codeSet: [] });
  assert.equal(tagsCodeMatcher({ subString: ' || ', codeSet: [] })?.(0), false);
});

test('the matcher lets the hashes of its tags pass and no others, colliding tags included', () => {
  const one = tagsCodeMatcher({ subString: 'Aa', codeSet: [2112] });
  assert.equal(one?.(2112), true); // also the hash of "BB"
  assert.equal(one?.(0), false);
  const two = tagsCodeMatcher({ subString: 'A||B', codeSet: [65, 66] });
  assert.deepEqual(
    [65, 66, 67].map((code) => two?.(code)),
    [true, true, false],
  );
});
