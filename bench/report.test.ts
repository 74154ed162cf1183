import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell } from './cells.ts';
import type { Figures, LoadFigures } from './measure.ts';
import { type CellRuns, markdownOf, median, tableOf, warningsOf, withReport } from './report.ts';

const cell: Cell = {
  kind: 'load',
  id: 'send',
  title: 'send',
  flush: 'ASYNC_FLUSH',
  load: { mode: 'send', connections: 1, countMax: 1, secondsMax: 1 },
  quantile: 'p99',
  aims: { rate: '≥ 6', latency: '≤ 0.08' },
};

const figures = (rate: number, more: Partial<LoadFigures> = {}): Figures => ({
  kind: 'load',
  rate,
  cpuPerMillion: 10,
  p50Micros: 500,
  p99Micros: 2000,
  p999Micros: 3000,
  anonymousBytes: 100e6,
  generatorShare: 0.3,
  oddAnswers: {},
  ...more,
});

const runsOf = (Apache: Figures[], LiftMQ: Figures[]): CellRuns[] => [{ cell, runs: { Apache, LiftMQ } }];

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.ok(Number.isNaN(median([])));
});

test('a ratio is our median over theirs, and the aim of the quantity stands beside it', () => {
  const rows = tableOf(runsOf([figures(50), figures(1), figures(60)], [figures(300), figures(320), figures(900)]));
  const [rate, , p50, p99] = rows;
  assert.deepEqual(
    [rate?.quantity, rate?.apache, rate?.liftmq, rate?.ratio, rate?.aim],
    ['sent/s', '50', '320', '6.4', '≥ 6'],
  );
  assert.deepEqual([p50?.quantity, p50?.aim], ['p50 ms', '']);
  assert.deepEqual([p99?.quantity, p99?.aim, p99?.ratio], ['p99 ms', '≤ 0.08', '1.0']);
});

test('one side alone has no ratio', () => {
  const [rate] = tableOf(runsOf([], [figures(300)]));
  assert.deepEqual([rate?.apache, rate?.liftmq, rate?.ratio], ['', '300', '']);
});

test('a busy generator and answers other than success are told', () => {
  const told = warningsOf(runsOf([figures(1, { oddAnswers: { 'send 2': 7 } })], [figures(1, { generatorShare: 0.9 })]));
  assert.equal(told.length, 2);
  assert.match(told[0] ?? '', /Apache: 7 answers with code send 2/);
  assert.match(told[1] ?? '', /LiftMQ: the generator used 90\.0 %/);
});

test('the report replaces what stood between the marks, and nothing else', () => {
  const page = 'before\n<!-- results: written by npm run bench -- --write -->\nold\n<!-- end of results -->\nafter\n';
  const report = markdownOf(tableOf(runsOf([figures(50)], [figures(300)])));
  const once = withReport(page, report);
  assert.match(once, /^before\n[\s\S]*\| sent\/s[\s\S]*\nafter\n$/);
  assert.doesNotMatch(once, /old/);
  assert.equal(withReport(once, report), once);
  assert.throws(() => withReport('no marks', report), /marks/);
});
