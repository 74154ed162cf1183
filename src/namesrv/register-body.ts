/**
 * The body of REGISTER_BROKER, in its three forms:
 *
 * 1. JSON: {"filterServerList":[…],"topicConfigSerializeWrapper":{"dataVersion":{…},"topicConfigTable":{"T":{…}},
 *    "topicQueueMappingInfoMap":{…}}}
 * 2. Brokers before 3.0.11: JSON of the topicConfigSerializeWrapper alone.
 * 3. `compressed=true`: a zlib stream of
 *
 *      i32 length | DataVersion JSON
 *      i32 topic count, then for each:  i32 length | topic text
 *      i32 length | filter server JSON array
 *      i32 mapping count, then for each:  i32 length | mapping JSON       brokers from 5.0.0 on
 *
 *    topic text:  name SP readQueueNums SP writeQueueNums SP perm SP filterType [SP attributes JSON]
 *
 * A table of 50,000 topics takes longer to read than the event loop may be held up, so that large and compressed bodies
 * go to a worker; the result is made of columns, which cost little to hand over.
 */
import { inflateSync } from 'node:zlib';
import { type JsonValue, parseLooseJson } from '../common/mod.ts';
import type { WorkerTask } from '../io/mod.ts';
import { type DataVersion, dataVersionFrom, zeroDataVersion } from './data-version.ts';
import { booleanAt, integerAt, itemsOf, memberOf, membersOf, textAt } from './json-reading.ts';
import { limits } from './limits.ts';
import type { QueueMapping } from './route-table.ts';

/** Row i of all columns is one topic. */
interface TopicColumns {
  readonly names: string[];
  readonly readQueueNums: Int32Array;
  readonly writeQueueNums: Int32Array;
  readonly perms: Int32Array;
  readonly sysFlags: Int32Array;
}

export interface RegisterBody {
  readonly dataVersion: DataVersion;
  readonly topics: TopicColumns;
  readonly mappings: QueueMapping[];
  /** Undefined: none were named, and those known stay. */
  readonly filterServers: string[] | undefined;
}

export type RegisterBodyForm = 'json' | 'wrapper json' | 'compressed' | 'compressed with mappings';

interface DecodeInput {
  body: Uint8Array;
  form: RegisterBodyForm;
}

/** Version codes of brokers (remoting.md 1.6). */
const version3_0_11 = 37;
const version5_0_0 = 413;

const zlibFirstByte = 0x78;

/**
 * Brokers of 5.x with `compressedRegister` send a compressed body under a header that denies it (and fail at Apache's name
 * server): a body that begins as a zlib stream does is taken for one.
 */
export function registerBodyForm(brokerVersion: number, compressed: boolean, body: Uint8Array): RegisterBodyForm {
  if (brokerVersion < version3_0_11) return 'wrapper json';
  if (!compressed && body[0] !== zlibFirstByte) return 'json';
  return brokerVersion >= version5_0_0 ? 'compressed with mappings' : 'compressed';
}

/** Throws an error whose message says what is wrong with the body. An empty body is an empty table of version 0. */
export function decodeRegisterBody({ body, form }: DecodeInput): RegisterBody {
  if (body.length === 0) {
    return { dataVersion: zeroDataVersion, topics: topicColumns([]), mappings: [], filterServers: [] };
  }
  switch (form) {
    case 'json': {
      const json = parseLooseJson(textOf(body));
      return decodeWrapper(memberOf(json, 'topicConfigSerializeWrapper'), memberOf(json, 'filterServerList') ?? []);
    }
    case 'wrapper json':
      return decodeWrapper(parseLooseJson(textOf(body)), undefined);
    default:
      return decodeCompressed(body, form === 'compressed with mappings');
  }
}

export const decodeRegisterBodyTask: WorkerTask<DecodeInput, RegisterBody> = {
  module: import.meta.url,
  name: 'decodeRegisterBodyTask',
  run: decodeRegisterBody,
};

interface TopicRow {
  name: string;
  readQueueNums: number;
  writeQueueNums: number;
  perm: number;
  sysFlag: number;
}

function topicColumns(rows: TopicRow[]): TopicColumns {
  const column = (pick: (row: TopicRow) => number) => Int32Array.from(rows, pick);
  return {
    names: rows.map((row) => row.name),
    readQueueNums: column((row) => row.readQueueNums),
    writeQueueNums: column((row) => row.writeQueueNums),
    perms: column((row) => row.perm),
    sysFlags: column((row) => row.sysFlag),
  };
}

function decodeWrapper(wrapper: JsonValue | undefined, filterServers: JsonValue | undefined): RegisterBody {
  // The defaults are those of Java's TopicConfig.
  const rows = membersOf(memberOf(wrapper, 'topicConfigTable')).map(([key, config]) => ({
    name: textAt(config, 'topicName') ?? key,
    readQueueNums: integerAt(config, 'readQueueNums', 16),
    writeQueueNums: integerAt(config, 'writeQueueNums', 16),
    perm: integerAt(config, 'perm', 6),
    sysFlag: integerAt(config, 'topicSysFlag', 0),
  }));
  return {
    dataVersion: dataVersionFrom(memberOf(wrapper, 'dataVersion')),
    topics: topicColumns(rows),
    mappings: membersOf(memberOf(wrapper, 'topicQueueMappingInfoMap')).map(([topic, info]) =>
      decodeMapping(info, topic),
    ),
    filterServers: filterServers === undefined ? undefined : textItems(filterServers),
  };
}

/** `topic` is used where the mapping does not name its own. */
function decodeMapping(json: JsonValue, topic: string): QueueMapping {
  const currIdMap = memberOf(json, 'currIdMap');
  return {
    topic: textAt(json, 'topic') ?? topic,
    scope: textAt(json, 'scope'),
    totalQueues: integerAt(json, 'totalQueues', 0),
    bname: textAt(json, 'bname') ?? '',
    epoch: integerAt(json, 'epoch', 0),
    dirty: booleanAt(json, 'dirty'),
    currIdMap: new Map(membersOf(currIdMap).map(([logical]) => [Number(logical), integerAt(currIdMap, logical, 0)])),
  };
}

function decodeCompressed(body: Uint8Array, withMappings: boolean): RegisterBody {
  const reader = new FieldReader(inflateSync(body, { maxOutputLength: limits.inflatedBodySizeMax }));
  const dataVersion = dataVersionFrom(parseLooseJson(reader.text()));
  const rows: TopicRow[] = [];
  for (let left = reader.count(); left > 0; left--) rows.push(decodeTopicText(reader.text()));
  const filterServers = textItems(parseLooseJson(reader.text()));
  const mappings: QueueMapping[] = [];
  if (withMappings) {
    for (let left = reader.count(); left > 0; left--) mappings.push(decodeMapping(parseLooseJson(reader.text()), ''));
  }
  return { dataVersion, topics: topicColumns(rows), mappings, filterServers };
}

function decodeTopicText(text: string): TopicRow {
  const [name, readQueueNums, writeQueueNums, perm, filterType] = text.split(' ');
  if (name === undefined || filterType === undefined) {
    throw new Error(`a topic text has five or six items, this one has not: ${text.slice(0, 200)}`);
  }
  return {
    name,
    readQueueNums: integerOf(readQueueNums, text),
    writeQueueNums: integerOf(writeQueueNums, text),
    perm: integerOf(perm, text),
    sysFlag: 0,
  };
}

function integerOf(digits: string | undefined, text: string): number {
  if (digits === undefined || !/^-?\d{1,9}$/.test(digits))
    throw new Error(`no number in topic text ${text.slice(0, 200)}`);
  return Number(digits);
}

function textItems(json: JsonValue): string[] {
  return itemsOf(json).filter((item) => typeof item === 'string');
}

/** Length-prefixed texts; every length is checked against what is there. */
class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  count(): number {
    if (this.#at + 4 > this.#bytes.length) throw new Error('the compressed body ends too early');
    const count = this.#view.getInt32(this.#at);
    this.#at += 4;
    if (count < 0) throw new Error(`negative count or length ${count} in the compressed body`);
    return count;
  }

  text(): string {
    const length = this.count();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('the compressed body ends too early');
    const text = textOf(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return text;
  }
}

const utf8 = new TextDecoder();

function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
