import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { frame } from '../../test/remoting/raw-peer.ts';
import { FrameReader } from './frame.ts';
import { defaultRemotingLimits } from './limits.ts';

/** Cuts `bytes` where told, feeds the pieces, and spoils each afterwards, as a network may. */
function feed(reader: FrameReader, bytes: Buffer, cuts: readonly number[]): void {
  const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  let at = 0;
  for (const place of [...places, bytes.length]) {
    const chunk = Uint8Array.from(bytes.subarray(at, place));
    if (chunk.length > 0) reader.push(chunk);
    chunk.fill(0xdd);
    at = place;
  }
}

suite('the frame reader', () => {
  test('hands out the same frames however the bytes are cut, stopped and resumed', () => {
    const body = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(body, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.array(fc.boolean(), { maxLength: 8 }),
        (bodies, cuts, stops) => {
          const frames = bodies.map((bytes, opaque) => frame({ opaque }, bytes));
          const seen: Buffer[] = [];
          const reader = new FrameReader(defaultRemotingLimits, (bytes, start, end) => {
            seen.push(Buffer.from(bytes.subarray(start, end)));
            return stops[seen.length] !== true;
          });
          feed(reader, Buffer.concat(frames), cuts);
          for (let i = 0; i < frames.length; i++) reader.resume();
          assert.deepEqual(seen, frames);
          assert.equal(reader.heldBytes, 0);
        },
      ),
    );
  });

  test('hands out a frame in place when it lies within one chunk', () => {
    const chunk = Buffer.concat([frame({ opaque: 1 }), frame({ opaque: 2 })]);
    const buffers = new Set<ArrayBufferLike>();
    const reader = new FrameReader(defaultRemotingLimits, (bytes) => {
      buffers.add(bytes.buffer);
      return true;
    });
    reader.push(chunk);
    assert.deepEqual([...buffers], [chunk.buffer]);
  });

  test('keeps what arrived of a large frame, and no more', () => {
    const reader = new FrameReader(defaultRemotingLimits, () => true);
    const head = frame({}, Buffer.alloc(10_000_000)).subarray(0, 5000);
    for (let at = 0; at < head.length; at += 10) {
      reader.push(head.subarray(at, at + 10));
      assert.equal(reader.heldBytes, at + 10);
    }
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => new FrameReader(defaultRemotingLimits, () => true));
    for (const each of readers) each.push(head);
    assert.ok(
      process.memoryUsage().arrayBuffers - before < 100 * 3 * head.length,
      'an announced length allocates nothing',
    );
  });

  test('refuses a length as soon as it is there', () => {
    for (const bytes of [
      [0x80, 0, 0, 0],
      [0xff, 0xff, 0xff, 0xff],
      [0, 0, 0, 0],
      [0, 0, 0, 3],
      [1, 0, 0, 0],
      [0x7f, 0xff, 0xff, 0xff],
      [0, 0, 0, 10, 0, 0, 0, 7],
      [0, 0, 0, 10, 0, 0xff, 0xff, 0xff],
    ]) {
      const whole = new FrameReader(defaultRemotingLimits, () => true);
      assert.throws(() => whole.push(Buffer.from(bytes)), { name: 'FrameError' });
      const trickled = new FrameReader(defaultRemotingLimits, () => true);
      assert.throws(() => feed(trickled, Buffer.from(bytes), [1, 2, 3, 4, 5, 6, 7]), { name: 'FrameError' });
    }
  });
});
