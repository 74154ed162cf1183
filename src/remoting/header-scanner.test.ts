import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type CommandName, commands } from './commands.ts';
import { FrameError, Serialization } from './frame.ts';
import { decodeHeader, type RemotingHeader } from './header.ts';
import { HeaderScanner } from './header-scanner.ts';
import { HotRow } from './hot-row.ts';
import { defaultRemotingLimits } from './limits.ts';
import { preparedCommand, readValue, slotsOf } from './rows.ts';

const hotNames = (Object.keys(commands) as CommandName[]).filter((name) => preparedCommand(name).row.hot);
const hotRows = hotNames.map((name) => new HotRow(preparedCommand(name)));
const scanner = new HeaderScanner(hotRows, defaultRemotingLimits.headerFieldsMax);

const scan = (json: string): boolean => scanBytes(Buffer.from(json), Serialization.JSON);
const scanBytes = (bytes: Buffer, serialization: number): boolean =>
  scanner.scan(bytes, 0, bytes.length, serialization);

const javaSend =
  '{"code":310,"extFields":{"a":"pg","b":"TopicTest","c":"TBW102","d":"4","e":"3","f":"0","g":"1763733744000",' +
  '"h":"0","i":"KEYS\\u0001k\\u0002UNIQ_KEY\\u0001AC11","j":"0","k":"false","l":"16","m":"true","n":"broker-a"},' +
  '"flag":0,"language":"JAVA","opaque":-7,"serializeTypeCurrentRPC":"JSON","version":513}';
const slots = slotsOf('sendMessageV2');

suite('the header scanner', () => {
  test('reads a send request as Java writes it', () => {
    assert.ok(scan(javaSend));
    const { code, flag, opaque, version, language } = scanner;
    assert.deepEqual(
      { code, flag, opaque, version, language },
      { code: 310, flag: 0, opaque: -7, version: 513, language: 'JAVA' },
    );
    assert.equal(scanner.name(slots.topic), 'TopicTest');
    assert.equal(scanner.i32(slots.queueId), 3);
    assert.equal(scanner.i64(slots.bornTimestamp), 1763733744000);
    assert.equal(scanner.bool(slots.batch), true);
    assert.equal(scanner.bool(slots.unitMode), false);
    assert.deepEqual(bytesOf(slots.properties), Buffer.from('KEYS\u0001k\u0002UNIQ_KEY\u0001AC11'));
  });

  test('takes white space, any order behind the code, unknown keys, and numbers and booleans as values', () => {
    assert.ok(
      scan(' {\n "version" : 1, "code":310 ,"body":null,"x":true,"extFields":{"e":5, "m":true ,"zz":1,"i":null}}\r\n'),
    );
    assert.equal(scanner.i32(slots.queueId), 5);
    assert.equal(scanner.bool(slots.batch), true);
    assert.equal(scanner.has(slots.properties), false);
  });

  for (const [what, json] of [
    ['a code behind the fields', '{"extFields":{"b":"T"},"code":310}'],
    ['a repeated key', '{"code":310,"code":310,"extFields":{"b":"T"}}'],
    ['a nested value', '{"code":310,"extFields":{"b":["T"]}}'],
    ['an escaped name', '{"code":310,"extFields":{"\\u0062":"T"}}'],
    ['a fraction', '{"code":310,"extFields":{"e":1.5}}'],
    ['a lone surrogate', '{"code":310,"extFields":{"b":"\\ud800"}}'],
    ['a control character', '{"code":310,"extFields":{"b":"\u0001"}}'],
    ['something behind the end', '{"code":310,"extFields":{"b":"T"}}x'],
    ['an end too early', '{"code":310,"extFields":{"b":"T"}'],
    ['a command that is not hot', '{"code":105,"extFields":{"topic":"T"}}'],
    ['no object', '[]'],
    ['nothing', ''],
  ]) {
    test(`leaves ${what} to the general codec`, () => assert.equal(scan(json), false));
  }

  test('a required field that is missing is named, with the letter that it travels under', () => {
    assert.ok(scan('{"code":310,"extFields":{"a":"g"}}'));
    assert.throws(() => scanner.checkRequired(), {
      code: 1,
      message: 'SEND_MESSAGE_V2 lacks the header field b (topic)',
    });
  });

  test('a number that is none is refused, and not read as 0', () => {
    assert.ok(scan('{"code":310,"extFields":{"e":"3x","d":"2147483648","g":"9223372036854775807"}}'));
    assert.throws(() => scanner.i32(slots.queueId), {
      code: 1,
      message: "header field e is not a 32-bit number: '3x'",
    });
    assert.throws(() => scanner.i32(slots.defaultTopicQueueNums), { code: 1 });
    assert.equal(scanner.i64(slots.bornTimestamp), Number.MAX_SAFE_INTEGER);
  });

  test('copies a value unescaped, and says when there is no room for it', () => {
    const long = 'x\\n'.repeat(3000);
    assert.ok(scan(`{"code":310,"extFields":{"a":"\\u0067","b":"\\u00e4\\ud83d\\ude00","i":"${long}"}}`));
    assert.equal(bytesOf(slots.producerGroup).toString(), 'g');
    assert.equal(bytesOf(slots.topic).toString(), 'ä😀');
    assert.equal(bytesOf(slots.properties).toString(), 'x\n'.repeat(3000));
    assert.equal(scanner.text(slots.properties), 'x\n'.repeat(3000));
    assert.equal(scanner.copy(slots.properties, Buffer.alloc(10), 5), 6000);
  });

  test('agrees with the general codec on every JSON header that it accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(jsonHeaders, (json) => {
        if (compare(json, Serialization.JSON)) accepted++;
      }),
      { numRuns: 3000 },
    );
    assert.ok(accepted > 300, `only ${accepted} were usual`);
  });

  test('agrees with the general codec on headers that it reads from memory of one like it', () => {
    let remembered = 0;
    fc.assert(
      fc.property(usualHeaders, fc.array(byteChanges, { minLength: 1, maxLength: 3 }), (json, changes) => {
        const learning = new HeaderScanner(hotRows, defaultRemotingLimits.headerFieldsMax);
        if (!learning.scan(json, 0, json.length, Serialization.JSON)) return;
        const passArrays = learning.starts;
        const like = Buffer.from(json);
        for (const { at, byte } of changes) like[at % like.length] = byte;
        if (compare(like, Serialization.JSON, learning) && learning.starts !== passArrays) remembered++;
      }),
      { numRuns: 3000 },
    );
    assert.ok(remembered > 80, `only ${remembered} were remembered`);
  });

  test('headers of one size and many shapes do not keep it learning', () => {
    const learning = new HeaderScanner(hotRows, defaultRemotingLimits.headerFieldsMax);
    const passArrays = learning.starts;
    let remembered = 0;
    for (let round = 0; round < 500; round++) {
      const split = round % 20;
      const texts = ['a'.repeat(20 - split), 'b'.repeat(split + 1)];
      const json = Buffer.from(`{"code":310,"extFields":{"a":"${texts[0]}","b":"${texts[1]}"},"opaque":7}`);
      assert.ok(learning.scan(json, 0, json.length, Serialization.JSON));
      assert.equal(learning.text(slots.topic), texts[1]);
      if (learning.starts !== passArrays) remembered++;
    }
    // One shape stays at last, and each twentieth header is like it.
    assert.ok(remembered >= 5, `${remembered} of 500`);
  });

  test('a header like one before is read at its own place in the bytes, and a broken one is not taken for it', () => {
    const frame = (json: string) => Buffer.from(`....${json}`);
    const first = frame(javaSend.replace('-7', '12'));
    assert.ok(scanner.scan(first, 4, first.length, Serialization.JSON));
    const second = frame(javaSend.replace('-7', '34').replace('AC11', 'BD22').replace('"e":"3"', '"e":"5"'));
    assert.ok(scanner.scan(second, 4, second.length, Serialization.JSON));
    assert.equal(scanner.opaque, 34);
    assert.equal(scanner.i32(slots.queueId), 5);
    assert.equal(bytesOf(slots.properties).toString(), 'KEYS\u0001k\u0002UNIQ_KEY\u0001BD22');
    for (const [from, to] of [
      ['34', '3x'],
      ['34', '03'],
      ['BD22', 'B"22'],
      ['BD22', 'B\\22'],
      ['BD22', 'B\u000122'],
      ['"e":"5"', '"e":"5,'],
      ['false', 'false'.replace('f', '"')],
      ['"},', '"],'],
    ]) {
      const broken = frame(second.toString('utf8', 4).replace(from, to));
      assert.equal(scanner.scan(broken, 4, broken.length, Serialization.JSON), false, `${from} as ${to}`);
    }
  });

  test('agrees with the general codec on every binary header that it accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(binaryHeaders, (bytes) => {
        if (compare(bytes, Serialization.BINARY)) accepted++;
      }),
      { numRuns: 2000 },
    );
    assert.ok(accepted > 300, `only ${accepted} were usual`);
  });
});

function bytesOf(slot: number, view = scanner): Buffer {
  const target = Buffer.alloc(100_000);
  return target.subarray(7, 7 + view.copy(slot, target, 7));
}

/** Whether the scanner accepted; fails when the general codec sees something else. */
function compare(bytes: Buffer, serialization: number, by = scanner): boolean {
  if (!by.scan(bytes, 0, bytes.length, serialization)) return false;
  const general = decodeHeader(bytes, 0, bytes.length, serialization, defaultRemotingLimits);
  assert.deepEqual(headOf(by), headOf(general));
  const row = hotRows.find(({ command }) => command.row.code === by.code);
  assert.ok(row);
  checkView(by, row, general);
  scanner.fill(row, general.extFields);
  checkView(scanner, row, general);
  return true;
}

function headOf({ code, flag, opaque, version, language }: Omit<RemotingHeader, 'extFields' | 'remark'>): unknown {
  return { code, flag, opaque, version, language: language?.toWellFormed() };
}

function checkView(view: HeaderScanner, row: HotRow, { extFields }: RemotingHeader): void {
  for (const [slot, field] of row.command.request.entries()) {
    const text = extFields.get(field.wire)?.toWellFormed();
    assert.equal(view.has(slot), text !== undefined, field.wire);
    assert.equal(view.text(slot), text ?? '', field.wire);
    assert.equal(view.name(slot), text ?? '', field.wire);
    assert.deepEqual(bytesOf(slot, view), Buffer.from(text ?? ''), field.wire);
    assert.equal(view.bool(slot), text?.toLowerCase() === 'true', field.wire);
    if (field.kind === 'i32' || field.kind === 'i64' || field.kind === 'time') {
      const expected = outcome(() => (text === undefined || text === '' ? 0 : readValue(field, text)));
      assert.deepEqual(
        outcome(() => view.i64(slot)),
        expected,
        field.wire,
      );
    }
  }
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    assert.ok(error instanceof Error && !(error instanceof FrameError));
    return error.message;
  }
}

// What headers may look like: mostly usual, with every oddity that JSON allows and some that it does not.

const space = fc.constantFrom('', '', '', ' ', '\n\t ');
const escaped = fc.constantFrom(
  '\\"',
  '\\\\',
  '\\/',
  '\\n',
  '\\u0001',
  '\\u00E4',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\x',
  '\\u12g4',
);
const pieces = fc.oneof({ weight: 4, arbitrary: fc.string({ unit: 'grapheme' }) }, { weight: 1, arbitrary: escaped });
const quoted = fc
  .array(pieces, { maxLength: 4 })
  .map(
    (parts) => `"${parts.map((part) => (part.startsWith('\\') ? part : JSON.stringify(part).slice(1, -1))).join('')}"`,
  );
const integers = fc.oneof(
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.constantFrom('0', '-0', '+1', '007', '1.0', '1e3', '-', '2147483648', '9007199254740993', '9223372036854775807'),
);
const scalar = fc.oneof(
  { weight: 4, arbitrary: quoted },
  { weight: 4, arbitrary: integers.map((text) => `"${text}"`) },
  { weight: 2, arbitrary: integers },
  { weight: 1, arbitrary: fc.constantFrom('null', 'true', 'false', '"TRUE"', '"true"', '[]', '{}', '{"a":1}', 'nul') },
);

const jsonText = fc.constantFrom(...hotNames).chain((name) => {
  const { row, request } = preparedCommand(name);
  const field = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...request.map(({ wire }) => `"${wire}"`)) },
    { weight: 1, arbitrary: fc.constantFrom('"bname"', '"__proto__"', '"constructor"', '""', '"\\u0062"', '"ü"') },
  );
  const pair = fc.tuple(space, field, space, space, scalar, space).map((parts) => parts.toSpliced(3, 0, ':').join(''));
  const extFields = fc.array(pair, { maxLength: 12 }).map((pairs) => `{${pairs.join(',')}}`);
  const small = fc.oneof({ weight: 8, arbitrary: fc.integer().map(String) }, { weight: 1, arbitrary: scalar });
  const others = fc.record(
    {
      flag: small,
      opaque: small,
      version: small,
      language: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom('"JAVA"', '"GOLANG"') },
        { weight: 1, arbitrary: scalar },
      ),
      remark: scalar,
      serializeTypeCurrentRPC: fc.constant('"JSON"'),
      code: fc.constantFrom(String(row.code), '105'),
    },
    { requiredKeys: [] },
  );
  return fc.tuple(extFields, others, space, fc.boolean()).map(([fields, rest, gap, codeFirst]) => {
    const { code, ...tail } = rest;
    const head = codeFirst || code === undefined ? [`"code":${row.code}`] : [];
    const pairs = [
      ...head,
      `"extFields":${gap}${fields}`,
      ...Object.entries(tail).map(([key, value]) => `"${key}":${value}`),
    ];
    if (code !== undefined && !codeFirst) pairs.push(`"code":${code}`);
    return `${gap}{${pairs.join(`${gap},`)}}${gap}`;
  });
});

/** As clients write them. */
const usualHeaders = fc
  .record({
    extFields: fc.dictionary(
      fc.constantFrom(...preparedCommand('sendMessageV2').request.map(({ wire }) => wire)),
      fc.oneof(
        fc.string({ maxLength: 30 }),
        fc.nat().map(String),
        fc.constantFrom('KEYS\u0001k1\u0002TAGS\u0001A\u0002', 'ü\u0001', '😀', '"\\'),
      ),
    ),
    flag: fc.constantFrom(0, 2),
    opaque: fc.nat(2_000_000),
    version: fc.constantFrom(513, 521),
  })
  .map(({ extFields, ...rest }) => Buffer.from(JSON.stringify({ code: 310, extFields, ...rest, language: 'JAVA' })));

/** Digits, letters, and what has a meaning in JSON. */
const byteChanges = fc.record({
  at: fc.nat(1000),
  byte: fc.oneof(
    fc.constantFrom(...Buffer.from('0123456789abcXYZ-+.eE"\\{}[]:, \u0001\n')),
    fc.integer({ min: 0, max: 255 }),
  ),
});

/** A few bytes changed, dropped or doubled. */
function mutated(texts: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(400),
    byte: fc.integer({ min: 0, max: 255 }),
    kind: fc.constantFrom('set', 'cut', 'insert'),
  });
  return fc
    .tuple(
      texts,
      fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 2, arbitrary: fc.array(change, { maxLength: 3 }) }),
    )
    .map(([bytes, changes]) => {
      let result = bytes;
      for (const { at, byte, kind } of changes) {
        const place = at % (result.length + 1);
        result = Buffer.concat([
          result.subarray(0, place),
          kind === 'cut' ? Buffer.alloc(0) : Buffer.from([byte]),
          result.subarray(kind === 'insert' ? place : place + 1),
        ]);
      }
      return result;
    });
}

const jsonHeaders = mutated(jsonText.map((text) => Buffer.from(text)));

const binaryHeaders = mutated(
  fc.constantFrom(...hotNames).chain((name) => {
    const { row, request } = preparedCommand(name);
    const wires = fc.constantFrom(...request.map(({ wire }) => wire), 'bname', '');
    const value = fc.oneof(fc.string({ unit: 'grapheme' }), integers, fc.constantFrom('', 'true'));
    return fc
      .record({
        fields: fc.array(fc.tuple(wires, value), { maxLength: 12 }),
        remark: fc.constantFrom('', 'why'),
        opaque: fc.integer(),
        language: fc.nat(20),
      })
      .map(({ fields, remark, opaque, language }) => {
        const fixed = Buffer.alloc(13);
        fixed.writeInt16BE(row.code);
        fixed.writeInt8(language, 2);
        fixed.writeInt16BE(513, 3);
        fixed.writeInt32BE(opaque, 5);
        const ext = Buffer.concat(fields.flatMap(([wire, text]) => [sized(wire, 2), sized(text, 4)]));
        return Buffer.concat([fixed, sized(remark, 4), sized(ext, 4)]);
      });
  }),
);

function sized(content: string | Buffer, width: 2 | 4): Buffer {
  const bytes = Buffer.from(content);
  const size = Buffer.alloc(width);
  size.writeIntBE(bytes.length, 0, width);
  return Buffer.concat([size, bytes]);
}
