import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, readStateFile, StateFile } from '../io/mod.ts';
import { encodeRecord, recordSize } from '../message/mod.ts';
import type { Get, GetResult, Put, PutResult, PutStatus } from '../store/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { createCounters } from './counters.ts';
import { DelayedDelivery } from './delayed-delivery.ts';
import { MessageWriter } from './message-writer.ts';

const path = '/store/config/delayOffset.json';
const startMs = Date.UTC(2026, 0, 1);
const ip = Uint8Array.of(10, 0, 0, 1);

function record(queueOffset: number, body: string, storeTimestampMs: number, properties: string): Uint8Array {
  const parts = {
    bornIp: ip,
    storeIp: ip,
    body: Buffer.from(body),
    topic: Buffer.from('SCHEDULE_TOPIC_XXXX'),
    properties: Buffer.from(properties),
  };
  const bytes = new Uint8Array(
    recordSize({
      bornIp: ip,
      storeIp: ip,
      body: parts.body,
      topic: parts.topic,
      properties: parts.properties,
    }),
  );
  encodeRecord(bytes, 0, {
    ...parts,
    queueId: 0,
    flag: 0,
    queueOffset,
    physicalOffset: 0,
    sysFlag: 0,
    bornTimestampMs: 1,
    bornPort: 1,
    storeTimestampMs,
    storePort: 1,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
  });
  return bytes;
}

const toT = 'REAL_TOPIC\u0001T\u0002REAL_QID\u00010\u0002DELAY\u00011\u0002';

interface World {
  disk: Disk;
  /** Bodies that were put, in order. */
  delivered: string[];
  /** What the next puts answer; 'ok' when it is used up. */
  statuses: PutStatus[];
  queue: Uint8Array[];
  /** Results of reads that were not given back. */
  reads: { held: number };
  start(): Promise<DelayedDelivery>;
  after(ms: number): Promise<void>;
}

/** One delay level of a second over a queue that the test fills. */
function inWorld(run: (world: World) => Promise<void>) {
  return async () => {
    const simulation = new SimWorld({ seed: 1, startWallMs: startMs });
    await simulation.run(async () => {
      const { clock, timers, disk, log } = simulation.node('broker').env;
      const queue: Uint8Array[] = [];
      const delivered: string[] = [];
      const statuses: PutStatus[] = [];
      const reads = { held: 0 };
      const store = {
        minOffset: () => 0,
        maxOffset: (_topic: string, queueId: number) => (queueId === 0 ? queue.length : 0),
        get: ({ offset, maxMessages }: Get): GetResult => {
          const chunks = queue.slice(offset, offset + maxMessages);
          reads.held++;
          return {
            status: chunks.length > 0 ? 'FOUND' : 'OFFSET_OVERFLOW_ONE',
            nextOffset: offset + chunks.length,
            minOffset: 0,
            maxOffset: queue.length,
            messageCount: chunks.length,
            sizeBytes: 0,
            chunks,
            behindMemory: false,
            release: () => reads.held--,
          };
        },
        put: (put: Put, done: (result: PutResult) => void) => {
          const status = statuses.shift() ?? 'ok';
          const body = Buffer.from(put.body).toString();
          if (status === 'ok') delivered.push(`${put.topic}-${put.queueId} ${body}`);
          const result = { status, physicalOffset: 0, queueOffset: 0, sizeBytes: 0, storeTimestampMs: 0 };
          timers.soon(() => done(result));
        },
      };
      const writer = new MessageWriter(store, clock, [1000]);
      await run({
        disk,
        queue,
        delivered,
        statuses,
        reads,
        start: () =>
          DelayedDelivery.start(
            { store, writer, counters: createCounters(), clock, timers, disk, log, levelsMs: [1000] },
            path,
          ),
        after: (ms) => simulation.sleep(ms),
      });
    });
  };
}

test(
  'messages go to their topics in order, each when its delay is over, and never twice',
  inWorld(async ({ queue, reads, delivered, start, after }) => {
    queue.push(record(0, 'a', startMs, toT), record(1, 'b', startMs + 500, toT));
    const delivery = await start();
    await after(900);
    assert.deepEqual(delivered, []);
    await after(250);
    assert.deepEqual(delivered, ['T-0 a']);
    await after(500);
    assert.deepEqual(delivered, ['T-0 a', 'T-0 b']);
    await delivery.close();
    const again = await start();
    assert.deepEqual(again.progress(), [{ level: 1, offset: 2, maxOffset: 2 }]);
    await after(1000);
    assert.equal(delivered.length, 2);
    await again.close();
    assert.equal(reads.held, 0);
  }),
);

test(
  'positions of levels that are not configured, and what this version does not know, stay in the file',
  inWorld(async ({ disk, queue, start, after }) => {
    await new StateFile(disk, path, () => Buffer.from('{"later":1,"offsetTable":{1:0,7:40}}')).save();
    queue.push(record(0, 'a', startMs, toT));
    const delivery = await start();
    await after(1200);
    await delivery.close();
    const written = String(Buffer.from((await readStateFile(disk, path)) ?? []));
    assert.match(written, /"offsetTable":\{1:1,7:40\}/);
    assert.match(written, /"later":1/);
  }),
);

test(
  'what could not be stored is tried again, from there on',
  inWorld(async ({ queue, delivered, statuses, start, after }) => {
    for (const [index, body] of ['a', 'b', 'c'].entries()) queue.push(record(index, body, startMs - 5000, toT));
    statuses.push('ok', 'service not available', 'ok');
    const delivery = await start();
    await after(1000);
    assert.deepEqual(delivered, ['T-0 a', 'T-0 c', 'T-0 b', 'T-0 c']);
    await delivery.close();
  }),
);

test(
  'what never can be stored is dropped and holds up nothing',
  inWorld(async ({ queue, delivered, statuses, start, after }) => {
    queue.push(
      record(0, 'lost', startMs - 5000, 'DELAY\u00011\u0002'),
      record(1, 'too large', startMs - 5000, toT),
      record(2, 'b', startMs - 5000, toT),
    );
    statuses.push('message illegal');
    const delivery = await start();
    await after(500);
    assert.deepEqual(delivered, ['T-0 b']);
    assert.equal(delivery.progress()[0].offset, 3);
    await delivery.close();
  }),
);

test(
  'a message stamped by a clock that was ahead waits no longer than its delay',
  inWorld(async ({ queue, delivered, start, after }) => {
    queue.push(record(0, 'a', startMs + 3_600_000, toT));
    const delivery = await start();
    await after(3000);
    assert.deepEqual(delivered, ['T-0 a']);
    await delivery.close();
  }),
);

test(
  'a position beyond the end of its queue goes back to it',
  inWorld(async ({ queue, delivered, start, after }) => {
    for (let i = 0; i < 3; i++) queue.push(record(i, String(i), startMs - 5000, toT));
    const first = await start();
    await after(500);
    await first.close();
    queue.splice(1);
    const second = await start();
    queue.push(record(1, 'new', startMs - 5000, toT));
    await after(500);
    assert.equal(delivered.at(-1), 'T-0 new');
    await second.close();
  }),
);
