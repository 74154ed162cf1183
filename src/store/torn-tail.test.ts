import assert from 'node:assert/strict';
import { MemoryDisk } from '../../test/store/memory-disk.ts';
import { decodeRecord, isStorableTopicName } from '../message/mod.ts';
import { messageOf, openInMemory, put, type Settings } from './fixture.ts';
import type { MessageStore, Put } from './mod.ts';
import { segmentName } from './segment-file.ts';

/**
 * A log that ends anyhow: cut at every byte of its last 64 records, every bit of the last 4 flipped. What a start makes
 * of it is exactly the longest valid stretch; only with a valid record behind the damage it refuses. `npm run test:store`
 * takes every byte and bit; other runs take a part of them, always the same.
 */
const segmentSize = 16_384;
const settings: Settings = { mappedFileSizeCommitLog: segmentSize, maxIndexNum: 1000 };
const beforeCount = 6;
const tailCount = 64;
const every = process.argv.includes('--every');
const step = every ? 1 : 13;
const { before, describe, test } = every ? await import('../../test/store/plain-test.ts') : await import('node:test');

interface Written {
  offset: number;
  size: number;
  queue: string;
  queueOffset: number;
  bytes: Uint8Array;
}

const disk = new MemoryDisk();
const records: Written[] = [];
let image: ReturnType<MemoryDisk['snapshot']>;

/** Bodies from none to more than two sectors, short and long topics (V1, V2), both kinds of addresses. */
function variant(n: number): Put {
  const topic = n % 5 === 3 ? `${'long-'.repeat(26)}${n % 2}` : `t${n % 3}`;
  const body = ['', 'x', 'some body', 'm'.repeat(300), '\0'.repeat(700), 'n'.repeat(1300)][n % 6] ?? '';
  const message = messageOf({
    topic,
    queueId: n % 2,
    body: body === '' ? '' : `${n}${body}`,
    ...(n % 4 > 0 && { keys: `k${n}` }),
    ...(n % 7 > 0 && { tags: `tag${n % 3}` }),
  });
  return n % 3 === 1 ? { ...message, bornIp: new Uint8Array(16).fill(n) } : message;
}

async function written(store: MessageStore, message: Put): Promise<Written> {
  const { status, cause, physicalOffset, sizeBytes, queueOffset } = await put(store, message);
  assert.equal(status, 'ok', cause);
  const queue = `${message.topic}/${message.queueId}`;
  return { offset: physicalOffset, size: sizeBytes, queue, queueOffset, bytes: new Uint8Array(0) };
}

before(async () => {
  const ipv6 = { ip: new Uint8Array(16).fill(0xfd), port: 10911 };
  const first = await openInMemory(disk, settings);
  for (let n = 0; n < beforeCount; n++) records.push(await written(first, variant(n)));
  await first.close();
  const stores = [await openInMemory(disk, settings)];
  const derived = [...disk.snapshot()].filter(([path]) => !path.includes('/commitlog/'));
  for (let n = beforeCount; n < beforeCount + tailCount; n++) {
    if (n === beforeCount + tailCount / 2) {
      disk.restore(disk.snapshot());
      stores.push(await openInMemory(disk, settings, ipv6));
    }
    const store = stores.at(-1);
    assert.ok(store !== undefined);
    records.push(await written(store, variant(n)));
  }
  const log = [...disk.snapshot()].filter(([path]) => path.includes('/commitlog/'));
  // As after a power failure: queues, index and checkpoint know nothing of the tail.
  image = new Map([...derived, ...log]);
  for (const record of records) {
    const start = record.offset - (record.offset % segmentSize);
    const bytes = image.get(pathOf(start)) ?? new Uint8Array(0);
    record.bytes = bytes.slice(record.offset - start, record.offset - start + record.size);
  }
});

function pathOf(start: number): string {
  return `/store/commitlog/${segmentName(start)}`;
}

function segmentOf(offset: number): Uint8Array {
  return disk.bytesOf(pathOf(offset - (offset % segmentSize)));
}

/** What a start must show: exactly the first `count` records. */
async function expectPrefix(store: MessageStore, count: number, why: string): Promise<void> {
  const kept = records.slice(0, count);
  const last = kept[kept.length - 1];
  const lastEnd = last === undefined ? 0 : last.offset + last.size;
  const end = store.health().maxPhysicalOffset;
  // A blank behind the last record may be whole.
  const next = records[count]?.offset ?? lastEnd;
  assert.ok(end === lastEnd || (end === next && next % segmentSize === 0), `${why}: ends at ${end}, not at ${lastEnd}`);
  const counts = new Map<string, number>();
  for (const { queue } of kept) counts.set(queue, (counts.get(queue) ?? 0) + 1);
  for (const { queue } of records) {
    const at = queue.lastIndexOf('/');
    const max = store.maxOffset(queue.slice(0, at), Number(queue.slice(at + 1)));
    assert.equal(max, counts.get(queue) ?? 0, `${why}: ${queue}`);
  }
}

/** Every record is where its queue says, byte for byte, and nothing but zeros lies behind the end. */
async function expectContents(store: MessageStore, count: number, why: string): Promise<void> {
  for (const { queue, queueOffset, bytes } of records.slice(0, count)) {
    const at = queue.lastIndexOf('/');
    const query = { topic: queue.slice(0, at), queueId: Number(queue.slice(at + 1)), offset: queueOffset };
    const got = await store.get({ ...query, maxMessages: 1 });
    assert.equal(got.status, 'FOUND', `${why}: ${queue} at ${queueOffset}`);
    assert.ok(Buffer.concat(got.chunks).equals(bytes), `${why}: ${queue} at ${queueOffset}`);
    got.release();
  }
  const end = store.health().maxPhysicalOffset;
  assert.ok(
    segmentOf(end)
      .subarray(end % segmentSize)
      .every((byte) => byte === 0),
    `${why}: zeros behind ${end}`,
  );
}

describe('a tail that was cut', () => {
  for (const part of [0, 1, 2, 3]) {
    test(`at any byte of the last 64 records leaves exactly the whole records before it, part ${part}`, async () => {
      const first = records[beforeCount];
      const last = records[records.length - 1];
      assert.ok(first !== undefined && last !== undefined);
      const end = last.offset + last.size;
      let looked = 0;
      for (let cut = first.offset + part * step; cut <= end; cut += step * 4) {
        disk.restore(image);
        for (let start = cut - (cut % segmentSize); disk.paths().includes(pathOf(start)); start += segmentSize) {
          disk.bytesOf(pathOf(start)).fill(0, Math.max(0, cut - start));
        }
        // What was cut off may have been zeros anyway.
        const whole = records.findIndex(
          ({ offset, size, bytes }) =>
            offset + size > cut && bytes.subarray(Math.max(0, cut - offset)).some((b) => b !== 0),
        );
        const count = whole < 0 ? records.length : whole;
        const store = await openInMemory(disk, settings);
        await expectPrefix(store, count, `cut at ${cut}`);
        if (looked++ % 16 === 0) await expectContents(store, count, `cut at ${cut}`);
      }
    });
  }

  test('by shortening its file is no different', async () => {
    const last = records[records.length - 1];
    assert.ok(last !== undefined);
    for (let cut = last.offset; cut < last.offset + last.size; cut += step) {
      disk.restore(image);
      const start = cut - (cut % segmentSize);
      disk.set(pathOf(start), segmentOf(cut).slice(0, cut % segmentSize));
      await disk.remove(pathOf(start + segmentSize));
      await expectPrefix(await openInMemory(disk, settings), records.length - 1, `short at ${cut}`);
    }
  });
});

/** The fields of a record, by the place of a byte. */
function fieldAt(record: Written, at: number): string {
  const { bornIp, body, topic } = decodeRecord(record.bytes, 0);
  const isLong = Buffer.byteLength(topic) > 127;
  const sizes: [string, number][] = [
    ['total size', 4],
    ['magic', 4],
    ['body CRC', 4],
    ['queue id', 4],
    ['flag', 4],
    ['queue offset', 8],
    ['physical offset', 8],
    ['sysFlag', 4],
    ['born time', 8],
    ['born host', bornIp.length + 4],
    ['store time', 8],
    ['store host', 20],
    ['reconsume times', 4],
    ['prepared offset', 8],
    ['body length', 4],
    ['body', body.length],
    ['topic length', isLong ? 2 : 1],
    ['topic', Buffer.byteLength(topic)],
    ['properties length', 2],
  ];
  let end = 0;
  for (const [name, size] of sizes) {
    end += size;
    if (at < end) return name;
  }
  return 'properties';
}

/** What the format does not guard, and neighbours do not tell: such a record is taken as it is. */
const unguarded = new Set(['flag', 'born host', 'store host', 'reconsume times', 'properties']);

function isGuarded(field: string, at: number, bit: number, record: Written): boolean {
  if (field === 'properties' && at === record.size - 1) return record.bytes[at] === 1 << bit;
  if (unguarded.has(field)) return false;
  const hostSize = decodeRecord(record.bytes, 0).bornIp.length;
  // The bits that say how long the hosts are, and those of transactions, which take a record out of its queue.
  if (field === 'sysFlag') return at === 39 && [2, 4, 5].includes(bit);
  if (field === 'born time') return isHuge(at - 40, bit);
  if (field === 'prepared offset') return isHuge(at - (48 + hostSize + 4 + 8 + 20 + 4), bit);
  if (field !== 'store time') return true;
  const isOne = ((record.bytes[at] ?? 0) & (1 << bit)) !== 0;
  return isOne || isHuge(at - (48 + hostSize + 4), bit);
}

/** Whether the record fits as the next of another queue, and none of the two queues' records comes after it. */
function movesUnnoticed(index: number, field: string, flipped: Uint8Array): boolean {
  if (field !== 'topic' && field !== 'queue id') return false;
  const { topic, queueId, queueOffset } = decodeRecord(flipped, 0);
  const queue = `${topic}/${queueId}`;
  const ofIt = (written: Written) => written.queue === queue;
  const later = records.slice(index + 1).some((written) => ofIt(written) || written.queue === records[index]?.queue);
  return (
    isStorableTopicName(topic) && queueId >= 0 && !later && records.slice(0, index).filter(ofIt).length === queueOffset
  );
}

/** Whether a number of eight bytes gets beyond what is a safe integer. */
function isHuge(byte: number, bit: number): boolean {
  return (7 - byte) * 8 + bit >= 53;
}

describe('a bit that flipped', () => {
  for (const back of [0, 1, 2, 3]) {
    test(`in the last record but ${back}: cut, refused before a valid one, or where nothing tells`, async () => {
      const index = records.length - 1 - back;
      const record = records[index];
      assert.ok(record !== undefined);
      for (let at = 0; at < record.size; at++) {
        for (let bit = step === 1 ? 0 : at % 8; bit < 8; bit += step === 1 ? 1 : 8) {
          disk.restore(image);
          const place = segmentOf(record.offset);
          const byte = (record.offset % segmentSize) + at;
          place[byte] = (place[byte] ?? 0) ^ (1 << bit);
          const field = fieldAt(record, at);
          const why = `byte ${at} (${field}), bit ${bit}`;
          if (movesUnnoticed(index, field, place.subarray(byte - at, byte - at + record.size))) {
            await openInMemory(disk, settings);
          } else if (!isGuarded(field, at, bit, record) && !(field === 'store time' && back > 0)) {
            await expectPrefix(await openInMemory(disk, settings), records.length, why);
          } else if (back === 0) {
            await expectPrefix(await openInMemory(disk, settings), index, why);
          } else {
            await expectRefusal(record.offset, records[index + 1]?.offset ?? 0, why);
          }
        }
      }
    });
  }
});

async function expectRefusal(offset: number, survivor: number, why: string): Promise<void> {
  const opened = await openInMemory(disk, settings).catch((error) => error);
  assert.ok(opened instanceof Error, `${why}: was opened`);
  assert.match(opened.message, new RegExp(`is damaged at offset ${offset} .* follows at ${survivor}\\. `), why);
}

/** Everything that can be built from the log, as a clean stop left it. */
describe('derived files that are damaged never keep a store from opening', () => {
  let stopped: ReturnType<MemoryDisk['snapshot']>;
  before(async () => {
    disk.restore(image);
    const store = await openInMemory(disk, settings);
    await store.close();
    stopped = disk.snapshot();
  });

  /** With the mark of a crash and without. */
  async function opensWhole(damage: () => void, why: string, contents: boolean): Promise<void> {
    for (const mark of ['', '4711', '4711 liftmq']) {
      disk.restore(stopped);
      if (mark !== '') disk.set('/store/abort', Buffer.from(mark));
      damage();
      const store = await openInMemory(disk, settings);
      await expectPrefix(store, records.length, `${why}, abort "${mark}"`);
      if (contents) await expectContents(store, records.length, why);
    }
  }

  for (const name of ['checkpoint', 'checkpoint.liftmq'] as const) {
    const path = `/store/${name}`;
    // Of Apache's, only the first 48 of 4096 bytes say something.
    const lengthOf = () => Math.min(64, stopped.get(path)?.length ?? 0) + (name === 'checkpoint' ? 0 : 200);
    test(`${name}, truncated at every byte`, async () => {
      for (let at = 0; at < Math.min(lengthOf(), stopped.get(path)?.length ?? 0); at++) {
        await opensWhole(
          () => disk.set(path, disk.bytesOf(path).slice(0, at)),
          `${name} of ${at} bytes`,
          at % 32 === 0,
        );
      }
    });
    test(`${name}, every bit flipped`, async () => {
      for (let at = 0; at < Math.min(lengthOf(), stopped.get(path)?.length ?? 0); at++) {
        for (let bit = at % 8; bit < 8; bit += step === 1 ? 1 : 8) {
          await opensWhole(() => flip(path, at, bit), `${name}, byte ${at}, bit ${bit}`, at % 32 === 0);
        }
      }
    });
  }

  test('queue and index files, truncated and flipped at samples', async () => {
    for (const path of [...stopped.keys()].filter((name) => /consumequeue|index/.test(name))) {
      const size = stopped.get(path)?.length ?? 0;
      const written = (stopped.get(path) ?? new Uint8Array(0)).findLastIndex((byte) => byte !== 0) + 1;
      for (let at = 0; at < written; at += Math.max(1, Math.ceil(written / (step === 1 ? 400 : 15)))) {
        for (const mark of ['', '4711', '4711 liftmq']) {
          for (const damage of [
            () => flip(path, at, at % 8),
            () => disk.set(path, disk.bytesOf(path).slice(0, at)),
            () => disk.bytesOf(path).fill(0, at, Math.min(size, at + 100)),
          ]) {
            disk.restore(stopped);
            if (mark !== '') disk.set('/store/abort', Buffer.from(mark));
            damage();
            const store = await openInMemory(disk, settings);
            // What a clean stop left is believed entry by entry; that none is missing is checked.
            await expectPrefix(store, records.length, `${path} at ${at}, abort "${mark}", ${damage}`);
            await store.queryIndex({
              topic: 't0',
              key: 'k6',
              maxMessages: 8,
              beginTimestampMs: 0,
              endTimestampMs: 9e15,
            });
            await store.close();
          }
        }
      }
    }
  });
});

function flip(path: string, at: number, bit: number): void {
  const bytes = disk.bytesOf(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
}
