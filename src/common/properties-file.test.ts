import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProperties, writeProperties } from './mod.ts';

test('a broker.conf is read as Java reads it', () => {
  const text = [
    '\uFEFF# comment',
    '! also one',
    'brokerName = broker-a',
    '  listenPort:10911\r',
    'namesrvAddr=a:9876;\\',
    '    b:9876',
    'path=C\\:\\\\store\\ttab',
    'name=\\u00e9\u00e9',
    'empty=',
    'bare',
    'a\\ b=c d ',
    'brokerName=broker-b',
  ].join('\n');
  assert.deepEqual(
    [...parseProperties(text)],
    [
      ['brokerName', 'broker-b'],
      ['listenPort', '10911'],
      ['namesrvAddr', 'a:9876;b:9876'],
      ['path', 'C:\\store\ttab'],
      ['name', 'éé'],
      ['empty', ''],
      ['bare', ''],
      ['a b', 'c d '],
    ],
  );
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string())), (entries) => {
      const map = new Map(entries.filter(([key]) => key.trim() !== '' && !key.startsWith('\uFEFF')));
      assert.deepEqual(parseProperties(writeProperties(map)), map);
    }),
  );
});
