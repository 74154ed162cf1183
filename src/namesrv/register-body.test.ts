import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { decodeRegisterBody, registerBodyForm } from './register-body.ts';

const json = {
  filterServerList: ['10.0.0.1:7000'],
  topicConfigSerializeWrapper: {
    dataVersion: { counter: 7, stateVersion: 1, timestamp: 1_700_000_000_000 },
    topicConfigTable: {
      T: {
        topicName: 'T',
        readQueueNums: 4,
        writeQueueNums: 3,
        perm: 2,
        topicSysFlag: 1,
        attributes: {},
        order: false,
      },
      U: {},
    },
    topicQueueMappingInfoMap: {
      T: {
        topic: 'T',
        scope: '__global__',
        totalQueues: 2,
        bname: 'b',
        epoch: 9,
        dirty: false,
        currIdMap: { 0: 1, 1: 0 },
      },
    },
  },
};

const mapping = {
  topic: 'T',
  scope: '__global__',
  totalQueues: 2,
  bname: 'b',
  epoch: 9,
  dirty: false,
  currIdMap: new Map([
    [0, 1],
    [1, 0],
  ]),
};

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Length-prefixed texts and bare counts, deflated. */
function compressed(...fields: (string | number)[]): Uint8Array {
  const chunks = fields.map((field) => {
    const text = bytesOf(typeof field === 'string' ? field : '');
    const chunk = Buffer.alloc(4 + text.length);
    chunk.writeInt32BE(typeof field === 'string' ? text.length : field);
    chunk.set(text, 4);
    return chunk;
  });
  return deflateSync(Buffer.concat(chunks));
}

const version = JSON.stringify(json.topicConfigSerializeWrapper.dataVersion);

test('a JSON body gives topics, version, filter servers and mappings; missing numbers are those of Java', () => {
  const body = decodeRegisterBody({ body: bytesOf(JSON.stringify(json)), form: 'json' });
  assert.deepEqual(body, {
    dataVersion: { counter: 7, stateVersion: 1, timestamp: 1_700_000_000_000 },
    topics: {
      names: ['T', 'U'],
      readQueueNums: Int32Array.of(4, 16),
      writeQueueNums: Int32Array.of(3, 16),
      perms: Int32Array.of(2, 6),
      sysFlags: Int32Array.of(1, 0),
    },
    mappings: [mapping],
    filterServers: ['10.0.0.1:7000'],
  });
});

test('bare integer keys of mappings are read', () => {
  const text = JSON.stringify(json).replace('{"0":1,"1":0}', '{0:1,1:0}');
  assert.deepEqual(decodeRegisterBody({ body: bytesOf(text), form: 'json' }).mappings, [mapping]);
});

test('brokers before 3.0.11 send the wrapper alone, and say nothing of filter servers', () => {
  const body = bytesOf(JSON.stringify(json.topicConfigSerializeWrapper));
  const decoded = decodeRegisterBody({ body, form: registerBodyForm(36, false, body) });
  assert.deepEqual(decoded.topics.names, ['T', 'U']);
  assert.equal(decoded.filterServers, undefined);
});

test('a compressed body gives the same, with mappings from 5.0.0 on only', () => {
  const topics = ['T 4 3 2 SINGLE_TAG {}', 'U 16 16 6 SINGLE_TAG'];
  const upTo = [version, topics.length, ...topics, '["10.0.0.1:7000"]'];
  const expected = decodeRegisterBody({ body: bytesOf(JSON.stringify(json)), form: 'json' });
  const sysFlags = new Int32Array(2);
  assert.deepEqual(
    decodeRegisterBody({
      body: compressed(...upTo, 1, JSON.stringify(json.topicConfigSerializeWrapper.topicQueueMappingInfoMap.T)),
      form: registerBodyForm(413, true, new Uint8Array()),
    }),
    { ...expected, topics: { ...expected.topics, sysFlags } },
  );
  assert.deepEqual(
    decodeRegisterBody({ body: compressed(...upTo), form: registerBodyForm(412, true, new Uint8Array()) }).mappings,
    [],
  );
});

test('an empty body is an empty table of version 0', () => {
  assert.deepEqual(decodeRegisterBody({ body: new Uint8Array(), form: 'json' }).dataVersion, {
    counter: 0,
    stateVersion: 0,
    timestamp: 0,
  });
});

test('broken bodies are refused with a reason', () => {
  const refused: [Uint8Array, RegExp][] = [
    [bytesOf('{"topicConfigSerializeWrapper"'), /./],
    [bytesOf('no zlib stream'), /header/],
    [compressed(version, 1000), /ends too early/],
    [compressed(version, -1), /negative/],
    [compressed(version, 1, 'T 4 3 2', '[]', 0), /five or six items/],
    [compressed(version, 1, 'T x 3 2 SINGLE_TAG', '[]', 0), /no number/],
    [deflateSync(Buffer.alloc(65 * 1024 * 1024)), /larger than/],
  ];
  for (const [body, reason] of refused) {
    const form = body[0] === '{'.charCodeAt(0) ? 'json' : 'compressed with mappings';
    assert.throws(() => decodeRegisterBody({ body, form }), { message: reason });
  }
});

test('a zlib stream under a header that says nothing of compression is read as one', () => {
  assert.equal(registerBodyForm(513, false, compressed(version)), 'compressed with mappings');
  assert.equal(registerBodyForm(513, false, bytesOf('{}')), 'json');
});
