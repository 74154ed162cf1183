import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeAttributes, groupAttributes, parseAttributeChanges, topicAttributes } from './attributes.ts';

function change(current: Record<string, string> | undefined, text: string, table = topicAttributes) {
  const changes = parseAttributeChanges(text);
  return typeof changes === 'string' ? changes : changeAttributes(table, current, changes);
}

test('attributes are set at creation and changed later, where they may change', () => {
  assert.deepEqual(change(undefined, '+message.type=FIFO,+queue.type=SimpleCQ'), {
    'message.type': 'FIFO',
    'queue.type': 'SimpleCQ',
  });
  assert.deepEqual(change({ 'message.type': 'FIFO' }, '+message.type=NORMAL'), { 'message.type': 'NORMAL' });
  assert.deepEqual(change({ 'message.type': 'FIFO' }, '-message.type'), {});
  assert.deepEqual(change({ 'message.type': 'FIFO' }, ''), { 'message.type': 'FIFO' });
});

test('what makes no sense is refused with a sentence', () => {
  const refused: [Record<string, string> | undefined, string, RegExp][] = [
    [undefined, 'message.type=FIFO', /malformed/],
    [undefined, '+', /malformed/],
    [undefined, '+color=red', /unsupported attribute color/],
    [undefined, '+__proto__=x', /unsupported attribute __proto__/],
    [undefined, '+message.type=ODD', /must be UNSPECIFIED, NORMAL/],
    [undefined, '-message.type', /cannot be removed at creation/],
    [undefined, '+message.type=FIFO,+message.type=NORMAL', /given twice/],
    [{}, '-message.type', /it is not set/],
    [{ 'queue.type': 'SimpleCQ' }, '+queue.type=BatchCQ', /only be set at creation/],
  ];
  for (const [current, text, why] of refused) assert.match(String(change(current, text)), why, text);
  assert.match(String(change(undefined, '+priority.factor=101', groupAttributes)), /must be 0 to 100/);
});
