/** Frames for the fuzzer: valid requests of every command, spelled in odd but legal ways, and mutations of them. */
import { type Command, commands } from '../../src/remoting/mod.ts';
import type { SimRandom } from '../../src/testing/mod.ts';
import { frameOf } from '../remoting/raw-peer.ts';

const rows: readonly Command[] = Object.values(commands);

const oddTexts = [
  '',
  'T',
  '%RETRY%g',
  'ü€😀',
  'a"b\\c\n\t',
  '\u0001\u0002',
  'x'.repeat(300),
  '__proto__',
  '../../etc',
  'null',
];
const oddNumbers = ['0', '-1', '2147483647', '2147483648', '-2147483648', '9007199254740992', '9223372036854775807'];
const worseNumbers = ['9223372036854775808', '1e3', '1.5', '', ' 1', '0x10', 'NaN', '+7', '٣'];
const spaces = ['', '', '', '', ' ', '\n', '\t \r\n'];

/** A request of any command with an `opaque`, or an answer to one of the first requests that the other end makes. */
export function anyFrame(random: SimRandom, requestOpaque: number): Buffer {
  const row = rows[random.below(rows.length)] ?? rows[0];
  const fields = fieldsOf(random, row);
  const flag = random.chance(0.85) ? 0 : random.below(4);
  const isAnswer = (flag & 1) !== 0;
  const opaque = isAnswer ? random.below(4) : requestOpaque;
  if (isAnswer) fields.push(['offset', fieldValue(random, 'i64')]);
  const body = random.chance(0.6)
    ? Buffer.alloc(0)
    : Buffer.alloc(random.below(random.chance(0.02) ? 70_000 : 200), random.below(256));
  if (random.chance(0.2)) return frameOf(binaryHeader(random, row.code, flag, opaque, fields), 1, body);
  return frameOf(
    Buffer.from(jsonHeader(random, row.code, flag, opaque, fields)),
    random.chance(0.99) ? 0 : random.below(256),
    body,
  );
}

function fieldsOf(random: SimRandom, row: Command): [string, string][] {
  const fields: [string, string][] = [];
  for (const [name, { kind, wire, required }] of Object.entries(row.request)) {
    if (!random.chance(required ? 0.98 : 0.5)) continue;
    fields.push([wire ?? name, fieldValue(random, kind)]);
  }
  while (random.chance(0.2)) fields.push([oddText(random), oddText(random)]);
  if (random.chance(0.1)) fields.push(['bname', 'broker-a']);
  if (random.chance(0.1)) fields.sort(() => random.below(3) - 1);
  return fields;
}

function fieldValue(random: SimRandom, kind: string): string {
  if (random.chance(0.02)) return random.pick(worseNumbers as [string, ...string[]]);
  if (kind === 'text') return random.chance(0.7) ? `name-${random.below(50)}` : oddText(random);
  if (kind === 'bool') return random.pick(['true', 'false', 'TRUE', 'yes']);
  return random.chance(0.8) ? String(random.below(2 ** 31)) : random.pick(oddNumbers as [string, ...string[]]);
}

function oddText(random: SimRandom): string {
  return random.pick(oddTexts as [string, ...string[]]);
}

function jsonHeader(random: SimRandom, code: number, flag: number, opaque: number, fields: [string, string][]): string {
  const plain = random.chance(0.5);
  const gap = () => (plain ? '' : random.pick(spaces as [string, ...string[]]));
  const text = (value: string) => (plain || random.chance(0.7) ? JSON.stringify(value) : escaped(random, value));
  const value = (content: string) =>
    !plain && /^-?[1-9]\d*$/.test(content) && random.chance(0.2) ? content : text(content);
  const pairs = fields.map(([name, content]) => `${gap()}${text(name)}${gap()}:${gap()}${value(content)}${gap()}`);
  const ext = `"extFields":${gap()}{${pairs.join(',')}}`;
  const rest = [
    `"flag":${gap()}${flag}`,
    `"language":${random.pick(['"JAVA"', '"GO"', '"GOLANG"', 'null', '"\\u004aAVA"'])}`,
    `"opaque":${gap()}${opaque}`,
    `"serializeTypeCurrentRPC":"JSON"`,
    `"version":${random.pick(['513', '401', '0', '-1'])}`,
  ];
  const all = [`"code":${gap()}${code}`, ...(fields.length > 0 || random.chance(0.1) ? [ext] : []), ...rest];
  if (random.chance(0.1)) all.sort(() => random.below(3) - 1);
  if (random.chance(0.05)) all.push(`"remark":${text(oddText(random))}`);
  if (random.chance(0.02))
    all.push(random.pick(['"x":[[[1]]]', '"x":{"y":{}}', '"__proto__":{"code":1}', '"code":310', ext]));
  return `${gap()}{${gap()}${all.join(`${gap()},${gap()}`)}${gap()}}${gap()}`;
}

/** The same text, some of it as \u escapes. */
function escaped(random: SimRandom, value: string): string {
  const units = Array.from({ length: value.length }, (_, index) => {
    const unit = value.charCodeAt(index);
    const mustEscape = unit < 0x20 || unit === 0x22 || unit === 0x5c;
    return mustEscape || (unit >= 0xd800 && unit <= 0xdfff) || random.chance(0.3)
      ? `\\u${unit.toString(16).padStart(4, '0')}`
      : value[index];
  });
  return `"${units.join('')}"`;
}

function binaryHeader(
  random: SimRandom,
  code: number,
  flag: number,
  opaque: number,
  fields: [string, string][],
): Buffer {
  const fixed = Buffer.alloc(13);
  fixed.writeInt16BE((code << 16) >> 16);
  fixed.writeInt8(random.below(16), 2);
  fixed.writeInt16BE(513, 3);
  fixed.writeInt32BE(opaque, 5);
  fixed.writeInt32BE(flag, 9);
  const ext = Buffer.concat(fields.flatMap(([name, value]) => [sized(name, 2), sized(value, 4)]));
  return Buffer.concat([fixed, sized(random.chance(0.9) ? '' : 'why', 4), sized(ext, 4)]);
}

function sized(content: string | Buffer, width: 2 | 4): Buffer {
  const bytes = Buffer.from(content);
  const size = Buffer.alloc(width);
  size.writeIntBE(bytes.length, 0, width);
  return Buffer.concat([size, bytes]);
}

const tellingBytes = [0x00, 0x01, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x2c, 0x3a, 0x30, 0x2d, 0x7f, 0x80, 0xc3, 0xed, 0xff];

/** A copy with some bytes changed, or with its lengths or its end tampered with. */
export function mutate(random: SimRandom, frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  // A piece of a frame has no lengths to tamper with.
  const kind = copy.length < 8 ? 15 : random.below(16);
  if (kind === 0) copy.writeInt32BE(random.pick([0, -1, 3, 4, 2 ** 31 - 1, 2 ** 24, copy.length, copy.length - 5]), 0);
  else if (kind === 1)
    copy.writeInt32BE(random.pick([0, -1, 1, 0xffffff, copy.length, copy.length - 8, 2 ** 24, 300_000]), 4);
  else if (kind === 2) return copy.subarray(0, 1 + random.below(copy.length));
  else if (kind === 3)
    return Buffer.concat([copy.subarray(0, random.below(copy.length)), copy.subarray(random.below(copy.length))]);
  else {
    const headerAt = Math.min(8, copy.length - 1);
    for (let count = 1 + random.below(3); count > 0; count--) {
      const byte = random.chance(0.7) ? random.pick(tellingBytes as [number, ...number[]]) : random.below(256);
      copy[headerAt + random.below(copy.length - headerAt)] = byte;
    }
  }
  return copy;
}
