import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Connection } from '../io/mod.ts';
import { BlockPool, Outbox } from './outbox.ts';

/** A connection that keeps what it is given until `take`. */
class Keeper implements Connection {
  readonly local = { host: '127.0.0.1', port: 1 };
  readonly remote = { host: '127.0.0.1', port: 2 };
  readonly chunks: Uint8Array[] = [];
  writes = 0;
  pendingBytes = 0;
  /** Whether the system takes everything at once. */
  quick: boolean;

  constructor(quick: boolean) {
    this.quick = quick;
  }

  write(bytes: Uint8Array): void {
    this.writeAll([bytes]);
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    this.writes++;
    // As the system does: what is taken at once is copied, the rest is only remembered.
    for (const chunk of chunks) {
      this.chunks.push(this.quick ? Uint8Array.from(chunk) : chunk);
      if (!this.quick) this.pendingBytes += chunk.length;
    }
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

function put(outbox: Outbox, text: string): void {
  const block = outbox.reserve(text.length);
  outbox.advance(outbox.at + block.write(text, outbox.at));
}

suite('the outbox', () => {
  test('sends headers, copied bodies and bodies by reference in order, as one write', () => {
    const outbox = new Outbox(new BlockPool());
    const keeper = new Keeper(false);
    const large = Buffer.alloc(5000, 'L');
    put(outbox, 'a');
    outbox.append(Buffer.from('b'), undefined);
    put(outbox, 'c');
    outbox.append([large, Buffer.from('d'), large], undefined);
    put(outbox, 'e');
    assert.equal(outbox.unflushedBytes, 10_005);
    assert.equal(outbox.flush(keeper), 10_005);
    assert.equal(keeper.writes, 1);
    assert.equal(keeper.text, `abc${large}d${large}e`);
    assert.equal(keeper.chunks[1]?.buffer, large.buffer, 'not copied');
    assert.equal(outbox.flush(keeper), 0);
  });

  test('does not touch bytes that the system has not taken, and reuses the block when it has', () => {
    for (const quick of [true, false]) {
      const outbox = new Outbox(new BlockPool());
      const keeper = new Keeper(quick);
      let expected = '';
      for (let round = 0; round < 100; round++) {
        const text = `${round}`.repeat(300);
        put(outbox, text);
        expected += text;
        outbox.flush(keeper);
      }
      assert.equal(keeper.text, expected);
      if (!quick) continue;
      const first = outbox.reserve(1);
      outbox.advance(outbox.at + 1);
      outbox.flush(keeper);
      assert.equal(outbox.reserve(1), first);
    }
  });

  test('says that a body was taken when it was, in order, and once', () => {
    const outbox = new Outbox(new BlockPool());
    const keeper = new Keeper(false);
    const taken: number[] = [];
    for (const index of [0, 1, 2]) {
      put(outbox, 'h');
      outbox.append(Buffer.alloc(4999), () => taken.push(index));
      outbox.flush(keeper);
    }
    outbox.settle(15_000);
    assert.deepEqual(taken, []);
    outbox.settle(5001);
    assert.deepEqual(taken, [0]);
    outbox.settle(5000);
    assert.deepEqual(taken, [0, 1]);
    outbox.drop();
    outbox.drop();
    assert.deepEqual(taken, [0, 1, 2]);
  });

  test('gives a body of small pieces back at once, since it has copied them', () => {
    const outbox = new Outbox(new BlockPool());
    const keeper = new Keeper(false);
    const pieces = [Buffer.alloc(2000, 'x'), Buffer.alloc(2000, 'y')];
    let taken = 0;
    outbox.append(pieces, () => taken++);
    assert.equal(taken, 1);
    for (const piece of pieces) piece.fill('z');
    outbox.flush(keeper);
    assert.equal(keeper.text, 'x'.repeat(2000) + 'y'.repeat(2000));
    outbox.settle(0);
    assert.equal(taken, 1);
  });
});
