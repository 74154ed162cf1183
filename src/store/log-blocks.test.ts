import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { File } from '../io/mod.ts';
import { LogBlocks } from './log-blocks.ts';

const kib = 1 << 10;
const segmentSize = 1024 * kib;

/** A log whose bytes tell where they are, and that counts how often it is read. */
function log(durableOffset = 4 * segmentSize) {
  const state = { reads: 0, minOffset: 0, durableOffset };
  const byteAt = (offset: number) => (offset >> 8) & 0xff;
  const files = {
    segmentSize,
    get minOffset() {
      return state.minOffset;
    },
    startOf: (offset: number) => offset - (offset % segmentSize),
    async file(offset: number) {
      const start = offset - (offset % segmentSize);
      const file: Pick<File, 'read'> = {
        async read(target, targetOffset, length, position) {
          state.reads++;
          for (let i = 0; i < length; i++) target[targetOffset + i] = byteAt(start + position + i);
          return length;
        },
      };
      return file as File;
    },
  };
  const blocks = new LogBlocks(files, () => state.durableOffset);
  const isThere = (offset: number, length: number) => {
    const bytes = blocks.resident(offset, length);
    if (bytes === undefined) return false;
    assert.equal(bytes.length, length);
    for (let i = 0; i < length; i++) assert.equal(bytes[i], byteAt(offset + i));
    return true;
  };
  return { state, blocks, isThere };
}

const several = (start: number) => [0, 10, 20, 30].map((number) => start + number * kib);

test('several records of a stretch are read as one, and serve later readers', async () => {
  const { state, blocks, isThere } = log();
  await Promise.all([blocks.prepare(several(0)), blocks.prepare(several(kib))]);
  await blocks.prepare(several(2 * kib));
  assert.equal(state.reads, 1);
  assert.ok(isThere(0, 1500) && isThere(31 * kib, 1500) && isThere(200 * kib, 10 * kib));
});

test('a record that crosses the end of its block is there whole, unless it is very long', async () => {
  const { blocks, isThere } = log();
  await blocks.prepare(several(0));
  assert.ok(isThere(256 * kib - 1, 16 * kib));
  assert.equal(isThere(256 * kib - 1, 17 * kib), false);
  assert.equal(isThere(256 * kib, 100), false);
});

test('a lone record does not bring its block, a second one does', async () => {
  const { state, blocks, isThere } = log();
  await blocks.prepare([5 * kib]);
  assert.deepEqual([state.reads, isThere(5 * kib, 10)], [0, false]);
  await blocks.prepare([90 * kib]);
  assert.deepEqual([state.reads, isThere(5 * kib, 10)], [1, true]);
});

test('the last block of a segment ends with it', async () => {
  const { blocks, isThere } = log();
  await blocks.prepare(several(segmentSize - 40 * kib));
  assert.ok(isThere(segmentSize - 100, 100));
  assert.equal(isThere(segmentSize - 100, 101), false);
});

test('what is not durable, or no longer kept, is not given', async () => {
  const { state, blocks, isThere } = log(300 * kib);
  await blocks.prepare([...several(0), ...several(256 * kib)]);
  assert.ok(isThere(0, 10));
  assert.equal(isThere(256 * kib, 10), false);
  state.minOffset = segmentSize;
  assert.equal(isThere(0, 10), false);
});

test('memory is bounded: the blocks that were used least recently go', async () => {
  const { state, blocks, isThere } = log(200 * 256 * kib);
  for (let number = 0; number < 129; number++) await blocks.prepare(several(number * 256 * kib));
  assert.equal(state.reads, 129);
  assert.equal(isThere(0, 10), false);
  assert.ok(isThere(128 * 256 * kib, 10) && isThere(256 * kib, 10));
});
