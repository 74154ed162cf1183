// What the programs saw with Apache RocketMQ 5.5.0, recorded from the real one (`npm run test:compat -- --record`),
// and what LiftMQ lets them see instead where it is better for the user.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Difference, differences } from './differences.ts';
import type { Facts, Outcome } from './scenarios.ts';

const recordedFile = path.join(import.meta.dirname, 'facts', 'apache-5.5.0.json');

/** Facts by `group/scenario`. */
export type FactBook = { [scenario: string]: Facts };

export function readRecordedFacts(): FactBook {
  return JSON.parse(readFileSync(recordedFile, 'utf8'));
}

/** Adds to what is recorded, so that some scenarios can be recorded again without the others. */
export function recordFacts(group: string, outcomes: readonly Outcome[]): void {
  const book = readRecordedFacts();
  for (const outcome of outcomes) {
    book[`${group}/${outcome.scenario}`] = outcome.facts;
  }
  const sorted = Object.fromEntries(Object.entries(book).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(recordedFile, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** The scenario passed by its own rules, and saw what it sees with Apache's broker. */
export function checkOutcome(group: string, outcome: Outcome, server: 'apache' | 'liftmq'): void {
  assert.deepEqual(outcome.failures, [], `${outcome.scenario} failed`);
  const name = `${group}/${outcome.scenario}`;
  const recorded = readRecordedFacts()[name];
  assert.ok(recorded !== undefined, `${name} is not recorded: npm run test:compat -- --record`);
  const expected =
    server === 'apache'
      ? recorded
      : withDifferences(
          recorded,
          differences.filter((row) => row.scenario === name),
        );
  assert.deepEqual(outcome.facts, expected);
}

function withDifferences(recorded: Facts, rows: readonly Difference[]): Facts {
  const expected = { ...recorded };
  for (const row of rows) {
    assert.notDeepEqual(
      row.ours,
      recorded[row.fact],
      `the difference in ${row.scenario}, ${row.fact} is none (any more)`,
    );
    expected[row.fact] = row.ours;
  }
  return expected;
}
