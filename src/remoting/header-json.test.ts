import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeJsonHeader } from './header-json.ts';
import { defaultRemotingLimits } from './limits.ts';

const decode = (json: string) => {
  const bytes = Buffer.from(`xx${json}xx`);
  const { extFields, ...head } = decodeJsonHeader(bytes, 2, bytes.length - 2, defaultRemotingLimits);
  return { ...head, extFields: Object.fromEntries(extFields) };
};

const nothing = { code: 0, flag: 0, opaque: 0, version: 0, language: undefined, remark: undefined, extFields: {} };

suite('the general JSON header', () => {
  test('may lack everything, and hold what nobody knows', () => {
    assert.deepEqual(decode('{}'), nothing);
    assert.deepEqual(decode('{"body":null,"suspended":false,"x":{"y":[1,{"z":2}]}}'), nothing);
    assert.deepEqual(decode('{"language":null,"remark":null,"extFields":null,"code":null}'), nothing);
  });

  test('keeps numbers in extFields to the last digit', () => {
    const json = '{"code":11,"extFields":{"a":9223372036854775807,"b":1e3,"c":-0.10,"d":true,"e":null,"f":"1"}}';
    const extFields = { a: '9223372036854775807', b: '1e3', c: '-0.10', d: 'true', f: '1' };
    assert.deepEqual(decode(json), { ...nothing, code: 11, extFields });
  });

  test('takes the last of equal keys', () => {
    assert.deepEqual(decode('{"code":1,"code":2,"extFields":{"a":"1"},"extFields":{"b":"1","b":"2"}}'), {
      ...nothing,
      code: 2,
      extFields: { b: '2' },
    });
  });

  test('gives names of the language no meaning', () => {
    const { extFields, ...head } = decode(
      '{"__proto__":{"code":7},"constructor":1,"extFields":{"__proto__":"p","toString":"t"}}',
    );
    assert.deepEqual({ ...head, extFields: {} }, nothing);
    assert.deepEqual(Object.entries(extFields), [
      ['__proto__', 'p'],
      ['toString', 't'],
    ]);
  });

  test('counts brackets outside of texts only', () => {
    const remark = `"${'['.repeat(50)}\\"{`;
    assert.equal(decode(`{"remark":${JSON.stringify(remark)}}`).remark, remark);
  });

  test('reads a code that was sent as text', () => {
    assert.equal(decode('{"code":"105"}').code, 105);
  });
});
