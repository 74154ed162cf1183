import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { QueuePages } from './queue-pages.ts';
import { QueueTable } from './queue-table.ts';

describe('the entries of queues in memory', () => {
  test('agree with a plain list through appends, withdrawals, writes, drops and deletions', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), queue: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), queue: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('written' as const), queue: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), queue: fc.nat(5) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new QueueTable();
        const pages = new QueuePages(table, 12);
        const lists = Array.from({ length: 6 }, (): number[] => []);
        const rows = lists.map((_, queue) => table.findOrAdd(`t${queue}`, 0));
        for (const [number, { kind, queue }] of steps.entries()) {
          const list = lists[queue] ?? [];
          const row = rows[queue] ?? -1;
          if (kind === 'append') {
            if (!pages.hasRoom(1)) continue;
            pages.append(row, number, number + 1, -number);
            list.push(number);
          } else if (kind === 'withdraw') {
            if ((table.nextUnit[row] ?? 0) === (table.fileUnits[row] ?? 0)) continue;
            pages.removeLast(row);
            list.pop();
          } else if (kind === 'written') {
            table.fileUnits[row] = list.length;
          } else {
            pages.drop(new Set([row]));
            const topic = table.topic(`t${queue}`);
            if (topic !== undefined) table.removeTopic(topic);
            rows[queue] = table.findOrAdd(`t${queue}`, 0);
            list.length = 0;
          }
          for (const [at, each] of lists.entries()) {
            const other = rows[at] ?? -1;
            assert.equal(table.nextUnit[other], each.length);
            for (const [unit, value] of each.entries()) {
              const found = pages.read(other, unit);
              if (found)
                assert.deepEqual([pages.physicalOffset, pages.sizeBytes, pages.tagsCode], [value, value + 1, -value]);
              else assert.ok(unit < (table.fileUnits[other] ?? 0), 'an entry that is not in its file is in memory');
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('say when there is no room, and have room again once entries are written', () => {
    const table = new QueueTable();
    const pages = new QueuePages(table, 4);
    const queue = table.findOrAdd('t', 0);
    while (pages.hasRoom(1)) pages.append(queue, 0, 1, 0);
    assert.equal(table.nextUnit[queue], 25, 'the last page is taken');
    table.fileUnits[queue] = 25;
    assert.ok(pages.hasRoom(1));
    assert.ok(!pages.hasRoom(1000));
  });
});
