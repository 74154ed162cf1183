import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { javaHash } from '../common/mod.ts';
import { decodeProperties, tagsCodeOf } from '../message/mod.ts';
import { SendProperties } from './send-properties.ts';

function scan(text: string): SendProperties {
  const properties = new SendProperties();
  const bytes = Buffer.from(text, 'utf8');
  properties.scan(bytes, bytes.length);
  return properties;
}

test('one pass finds the same values as the decoder, whatever the bytes', () => {
  const name = fc.constantFrom('UNIQ_KEY', 'TAGS', 'KEYS', 'WAIT', 'DELAY', 'a', '', 'TAGS2', 'UNIQ_KEX', 'color');
  const item = fc
    .tuple(
      name,
      fc.constantFrom('\u0001', ''),
      fc.constantFrom('', 'v', 'TagA', 'false', 'k1 k2', ' k1  ü ', 'ü', '日本', '😀'),
    )
    .map((parts) => parts.join(''));
  const text = fc.tuple(fc.array(item, { maxLength: 8 }), fc.constantFrom('', '\u0002')).map(([items, end]) => {
    return items.join('\u0002') + end;
  });
  fc.assert(
    fc.property(text, (given) => {
      const scanned = scan(given);
      const decoded = decodeProperties(given);
      assert.equal(scanned.uniqueKey, decoded.get('UNIQ_KEY'));
      const keys = decoded.get('KEYS')?.split(' ') ?? [];
      const texts = [decoded.get('UNIQ_KEY'), ...keys, decoded.has('TAGS') ? `T#${decoded.get('TAGS')}` : undefined];
      const hashes = texts.filter((key) => key !== undefined && key !== '').map((key) => javaHash(`topic#${key}`));
      assert.deepEqual(scanned.keyHashes('topic'), hashes);
      assert.equal(scanned.hasKeys, decoded.has('KEYS'));
      assert.equal(scanned.tagsCode, tagsCodeOf(decoded.get('TAGS')));
      assert.equal(scanned.waits, decoded.get('WAIT') !== 'false');
      assert.equal(scanned.special, decoded.has('DELAY'));
    }),
    { numRuns: 2000 },
  );
});

test('properties that the broker acts on or replaces are noticed by their whole name', () => {
  for (const name of [
    'DELAY',
    'TRAN_MSG',
    'MSG_REGION',
    'TRACE_ON',
    'CLUSTER',
    'POP_CK',
    'TIMER_DELAY_SEC',
    'TIMER_DELAY_MS',
    'TIMER_DELIVER_MS',
    'INNER_NUM',
  ]) {
    assert.equal(scan(`a\u0001b\u0002${name}\u0001x\u0002`).special, true, name);
    assert.equal(scan(`a\u0001${name}\u0002${name}x\u0001y\u0002`).special, false, `${name} as a value`);
  }
});

test('a scan forgets the message before', () => {
  const properties = new SendProperties();
  const first = Buffer.from('TAGS\u0001A\u0002KEYS\u0001k\u0002WAIT\u0001false\u0002DELAY\u00011\u0002');
  properties.scan(first, first.length);
  properties.scan(first, 0);
  assert.deepEqual(
    [properties.keyHashes('topic'), properties.tagsCode, properties.hasKeys, properties.waits, properties.special],
    [[], 0, false, true, false],
  );
});

test('tags beyond ASCII have the hash that Java gives them', () => {
  assert.equal(scan('TAGS\u0001größe😀\u0002').tagsCode, javaHash('größe😀'));
});
