import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonError, type JsonValue, parseLooseJson, writeLooseJson } from './mod.ts';

/** The same value with ordinary prototypes, for comparisons. */
function plain(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

/** What JSON.parse makes of integers beyond 2^53. */
function rounded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value === 'bigint') return Number(value);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)]));
}

test('standard JSON reads as JSON.parse reads it, except that integers are not rounded', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      assert.deepEqual(rounded(plain(parseLooseJson(text))), JSON.parse(text));
    }),
    { examples: [['[9007199254740992]']] },
  );
});

test("fastjson's dialect is read: bare integer keys, object keys, single quotes, trailing commas, longs", () => {
  assert.deepEqual(plain(parseLooseJson('{0:"a",-1:"b"}')), { 0: 'a', '-1': 'b' });
  assert.deepEqual(plain(parseLooseJson('{"offsetTable":{{"topic":"T","queueId":0}:{"x":1},{"queueId":1}:2}}')), {
    offsetTable: { '{"queueId":0,"topic":"T"}': { x: 1 }, '{"queueId":1}': 2 },
  });
  assert.deepEqual(plain(parseLooseJson("{'a':'it\\'s',}")), { a: "it's" });
  assert.deepEqual(plain(parseLooseJson('[1,2,]')), [1, 2]);
  assert.deepEqual(parseLooseJson('[9223372036854775807,-9223372036854775808,9007199254740991,0001]'), [
    9223372036854775807n,
    -9223372036854775808n,
    9007199254740991,
    1,
  ]);
});

test('objects have no prototype: __proto__ is a key like any other, and the last of equal keys counts', () => {
  const value = parseLooseJson('{"__proto__":{"polluted":1},"constructor":2,"a":1,"a":3}');
  assert.equal(Object.getPrototypeOf(value), null);
  assert.deepEqual(Object.keys(value as object), ['__proto__', 'constructor', 'a']);
  assert.equal((value as { a: number }).a, 3);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('depth has a limit, also in keys, and deep text costs no stack', () => {
  assert.doesNotThrow(() => parseLooseJson('['.repeat(64) + ']'.repeat(64)));
  for (const open of ['[', '{"a":', '{', '{{"a":']) {
    assert.throws(() => parseLooseJson(open.repeat(1_000_000)), JsonError);
  }
  assert.throws(() => parseLooseJson('[[1]]', { depthMax: 1 }), /deeper than 1/);
});

test('what is no JSON is refused with the position', () => {
  for (const text of [
    '',
    '{',
    '[',
    '"a',
    '{"a"}',
    '{"a":}',
    '[1 2]',
    'tru',
    '-',
    '1e',
    '"\\x"',
    '"\\u12"',
    '1 1',
    '{a:1}',
  ]) {
    assert.throws(() => parseLooseJson(text), JsonError, text);
  }
  assert.throws(() => parseLooseJson('{"a" 1}'), /expected ":" at 5, found "1"/);
});

test('arbitrary text gives a value or a JsonError, nothing else', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    "'",
    '\\',
    'u',
    '1',
    '-',
    '.',
    'e',
    ' ',
    'null',
    'a',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      try {
        parseLooseJson(parts.join(''));
      } catch (error) {
        assert.ok(error instanceof JsonError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a number of a million digits is read as a double, at once', () => {
  assert.equal(parseLooseJson('9'.repeat(1_000_000)), Number.POSITIVE_INFINITY);
});

test('objects are written with sorted keys and without nulls', () => {
  assert.equal(
    writeLooseJson({ b: 1, a: 'x', c: null, d: undefined, e: [null, true] }),
    '{"a":"x","b":1,"e":[null,true]}',
  );
  assert.equal(
    writeLooseJson({ set: new Set([2, 1]), big: 9223372036854775807n }),
    '{"big":9223372036854775807,"set":[2,1]}',
  );
});

test('maps are written with bare integer keys and object keys, or quoted for strict readers', () => {
  const byId = new Map([
    [10, 'b'],
    [2, 'a'],
  ]);
  const byQueue = new Map([[{ topic: 'T', queueId: 0 }, 5]]);
  assert.equal(writeLooseJson({ byId, byQueue }), '{"byId":{2:"a",10:"b"},"byQueue":{{"queueId":0,"topic":"T"}:5}}');
  assert.equal(writeLooseJson(byId, { integerKeys: 'quoted' }), '{"2":"a","10":"b"}');
  assert.equal(writeLooseJson(byQueue, { integerKeys: 'quoted' }), '{"{\\"queueId\\":0,\\"topic\\":\\"T\\"}":5}');
  assert.equal(
    writeLooseJson(
      new Map([
        ['b', 1],
        ['a', 2],
      ]),
    ),
    '{"a":2,"b":1}',
  );
});

test('the pretty form is that of the config files', () => {
  const table = { offsetTable: new Map([[0, 12]]), empty: {}, list: [1] };
  assert.equal(
    writeLooseJson(table, { pretty: true }),
    '{\n\t"empty":{},\n\t"list":[\n\t\t1\n\t],\n\t"offsetTable":{\n\t\t0:12\n\t}\n}',
  );
});

test('non-ASCII characters stand as they are, as RocketMQ 5.5 writes them', () => {
  assert.equal(writeLooseJson('<é\n>'), '"<é\\n>"');
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.boolean(), (value, pretty) => {
      const text = writeLooseJson(value, { pretty });
      assert.equal(writeLooseJson(parseLooseJson(text)), writeLooseJson(value));
    }),
  );
});
