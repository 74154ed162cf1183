import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeProperties } from '../message/mod.ts';
import { inWorld } from '../store/fixture.ts';
import type { Put } from '../store/mod.ts';
import { MessageWriter, type OutgoingMessage } from './message-writer.ts';

function outgoing(properties: Record<string, string>): OutgoingMessage {
  return {
    topic: 'T',
    queueId: 3,
    flag: 0,
    sysFlag: 0,
    bornTimestampMs: 1,
    bornIp: new Uint8Array(4),
    bornPort: 1,
    reconsumeTimes: 0,
    body: new Uint8Array(1),
    properties: new Map(Object.entries(properties)),
    waitForDurable: true,
  };
}

async function written(message: OutgoingMessage): Promise<{ put: Put; nowMs: number }> {
  const puts: Put[] = [];
  let nowMs = 0;
  await inWorld(1, async ({ env }) => {
    nowMs = env.clock.wallMs();
    new MessageWriter({ put: (put) => puts.push(put) }, env.clock, [1000, 5000]).write(message, () => {});
  });
  assert.equal(puts.length, 1);
  return { put: puts[0], nowMs };
}

test('a delay level sends a message to the schedule topic, with the time of delivery in its queue entry', async () => {
  const { put, nowMs } = await written(outgoing({ DELAY: '99', TAGS: 'A' }));
  assert.equal(put.topic, 'SCHEDULE_TOPIC_XXXX');
  assert.equal(put.queueId, 1);
  assert.equal(put.tagsCode, nowMs + 5000);
  assert.deepEqual(Object.fromEntries(decodeProperties(put.properties)), {
    DELAY: '2',
    TAGS: 'A',
    REAL_TOPIC: 'T',
    REAL_QID: '3',
  });
});

test('a message whose delay is over goes to its own topic and keeps the level that it had', async () => {
  const { put } = await written({ ...outgoing({ DELAY: '2', REAL_TOPIC: 'T', REAL_QID: '3' }), afterDelay: true });
  assert.equal(put.topic, 'T');
  assert.equal(put.queueId, 3);
  assert.equal(put.tagsCode, 0);
  assert.equal(decodeProperties(put.properties).get('DELAY'), '2');
});
