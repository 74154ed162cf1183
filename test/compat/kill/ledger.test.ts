import assert from 'node:assert/strict';
import test from 'node:test';
import { Ledger } from './ledger.ts';

function ledgerWith(count: number): Ledger {
  const ledger = new Ledger(2);
  for (let i = 0; i < count; i++) {
    ledger.nextId();
  }
  return ledger;
}

test('an acknowledged message that no reader was given is missed', () => {
  const ledger = ledgerWith(2);
  ledger.acknowledge(0, { queueId: 0, queueOffset: 0 });
  ledger.acknowledge(1, { queueId: 0, queueOffset: 1 });
  ledger.see(0, { queueId: 0, queueOffset: 0 });
  assert.throws(() => ledger.checkAcknowledged(), /message 1 was acknowledged .* there is nothing/);
});

test('a message without an acknowledgement may be stored or not', () => {
  const ledger = ledgerWith(2);
  ledger.see(1, { queueId: 1, queueOffset: 0 });
  ledger.checkAcknowledged();
  assert.deepEqual(ledger.figures(), { sent: 2, acknowledged: 0, stored: 1, consumed: 0 });
});

test('a message at another place than the acknowledged one is found', () => {
  const ledger = ledgerWith(2);
  ledger.acknowledge(1, { queueId: 0, queueOffset: 0 });
  ledger.see(0, { queueId: 0, queueOffset: 0 });
  assert.throws(() => ledger.checkAcknowledged(), /message 1 was acknowledged .* there is 0/);
});

test('gaps, repeated offsets, repeated and unknown messages are found', () => {
  const ledger = ledgerWith(3);
  assert.throws(() => ledger.see(0, { queueId: 0, queueOffset: 1 }), /offset 1 where 0 is next/);
  ledger.see(0, { queueId: 0, queueOffset: 0 });
  assert.throws(() => ledger.see(1, { queueId: 0, queueOffset: 0 }), /offset 0 where 1 is next/);
  assert.throws(() => ledger.see(0, { queueId: 1, queueOffset: 0 }), /stored again/);
  assert.throws(() => ledger.see(9, { queueId: 1, queueOffset: 0 }), /never sent/);
});

test('two acknowledgements of one offset are found', () => {
  const ledger = ledgerWith(2);
  ledger.acknowledge(0, { queueId: 0, queueOffset: 0 });
  assert.throws(() => ledger.acknowledge(1, { queueId: 0, queueOffset: 0 }), /acknowledged for 0 and for 1/);
});

test('a place that changes after it was seen is found', () => {
  const ledger = ledgerWith(2);
  ledger.see(0, { queueId: 0, queueOffset: 0 });
  ledger.checkUnchanged(0, { queueId: 0, queueOffset: 0 });
  assert.throws(() => ledger.checkUnchanged(1, { queueId: 0, queueOffset: 0 }), /held 0, and holds 1 now/);
});

test('what was stored and not consumed is counted', () => {
  const ledger = ledgerWith(2);
  ledger.see(0, { queueId: 0, queueOffset: 0 });
  ledger.see(1, { queueId: 0, queueOffset: 1 });
  ledger.consume(1);
  assert.equal(ledger.notConsumed(), 1);
});
