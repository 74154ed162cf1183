import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../io/mod.ts';
import type { WrittenText } from './field-values.ts';
import { frameKind, writeFrame } from './frame-writer.ts';
import { Flag } from './header.ts';
import { BlockPool, Outbox } from './outbox.ts';
import { preparedCommand, valuesOf } from './rows.ts';

const kinds = [frameKind(Flag.RESPONSE, 'JAVA'), frameKind(Flag.RESPONSE, 'OTHER')];
const extras = [undefined, { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' }, { a: '"\n' }];

interface Answer {
  kind: 0 | 1;
  opaque: number;
  values: {
    msgId?: string | WrittenText | undefined;
    queueId?: number | undefined;
    queueOffset?: number;
    transactionId?: string;
  };
  extra: 0 | 1 | 2;
}

/** Writes the answers one after the other, as one connection would, and reads their headers back. */
function written(answers: readonly Answer[]): { text: string; header: Record<string, unknown> }[] {
  const outbox = new Outbox(new BlockPool());
  const chunks: Uint8Array[] = [];
  const connection = {
    pendingBytes: 0,
    write: (bytes: Uint8Array) => chunks.push(Buffer.from(bytes)),
    writeAll: (pieces: readonly Uint8Array[]) => chunks.push(...pieces.map((piece) => Buffer.from(piece))),
  } as unknown as Connection;
  for (const { kind, opaque, values, extra } of answers) {
    const head = { kind: kinds[kind], serialization: 0, code: 0, opaque, remark: undefined };
    const { responseHeader } = preparedCommand('sendMessageV2');
    writeFrame(outbox, head, responseHeader, valuesOf(responseHeader, values), extras[extra], undefined, undefined);
  }
  outbox.flush(connection);
  const bytes = Buffer.concat(chunks);
  const headers = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) {
    assert.equal(bytes.readInt32BE(at) - 4, bytes.readInt32BE(at + 4));
    const text = bytes.toString('utf8', at + 8, at + 8 + bytes.readInt32BE(at + 4));
    headers.push({ text, header: JSON.parse(text) });
  }
  return headers;
}

function fieldsOf({ values, extra }: Answer): Record<string, string> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])), ...extras[extra] };
}

test('whatever was answered before, an answer holds its own values and nothing of the last one', () => {
  const text = fc.oneof(fc.constantFrom('', 'A', 'B', '"', 'ü', 'a\\b'), fc.string({ maxLength: 3 }));
  const selfWritten: fc.Arbitrary<WrittenText> = fc.stringMatching(/^[0-9A-F]{1,3}$/).map((digits) => ({
    size: digits.length,
    write: (target, at) => target.set(Buffer.from(digits), at),
    toString: () => digits,
  }));
  const number = fc.oneof(
    fc.constantFrom(0, 9, 10, 99, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1, -1),
    fc.integer({ min: 0, max: 1000 }),
    fc.maxSafeInteger(),
  );
  const answer: fc.Arbitrary<Answer> = fc.record({
    kind: fc.constantFrom(0, 1),
    opaque: fc.oneof(fc.integer({ min: 0, max: 99 }), fc.integer()),
    values: fc.record(
      { msgId: fc.oneof(text, selfWritten), queueId: fc.integer(), queueOffset: number, transactionId: text },
      { requiredKeys: [] },
    ),
    extra: fc.constantFrom(0, 1, 2),
  });
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 12 }), (answers) => {
      const headers = written(answers);
      assert.equal(headers.length, answers.length);
      for (const [i, { header }] of headers.entries()) {
        assert.equal(header.opaque, answers[i].opaque);
        assert.equal(header.language, answers[i].kind === 0 ? 'JAVA' : 'OTHER');
        assert.deepEqual(header.extFields ?? {}, fieldsOf(answers[i]));
      }
    }),
    { numRuns: 2000 },
  );
});

test('an answer like the last one has the same bytes as one that is written piece by piece', () => {
  const like = (number: number): Answer => ({
    kind: 0,
    opaque: 100 + number,
    values: { msgId: `id-${number}`, queueId: number, queueOffset: 2 ** 40 + number, transactionId: `t"${number}` },
    extra: 1,
  });
  for (const plain of [true, false]) {
    const answers = [1, 2, 3].map(like);
    if (plain) for (const answer of answers) answer.values.transactionId = 't';
    const together = written(answers).map(({ text }) => text);
    // One of another kind between two takes the template away.
    const apart = answers.map((answer) => written([{ ...answer, kind: 1 }, answer])[1]?.text);
    assert.deepEqual(together, apart);
  }
});
