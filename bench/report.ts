/** From the figures of all runs to one table: medians of each side, their ratio, and the aim beside it. */
import type { Aims, Cell } from './cells.ts';
import { OWN_CPU_SHARE_MAX } from './load.ts';
import type { Figures, IdleFigures, LoadFigures } from './measure.ts';
import type { Side } from './servers.ts';

export interface CellRuns {
  readonly cell: Cell;
  readonly runs: Readonly<Record<Side, readonly Figures[]>>;
}

export interface Row {
  readonly cell: string;
  readonly quantity: string;
  readonly apache: string;
  readonly liftmq: string;
  /** LiftMQ's median divided by Apache's; empty where one side did not run. */
  readonly ratio: string;
  readonly aim: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? Number.NaN : (upper + lower) / 2;
}

const isLoad = (figures: Figures): figures is LoadFigures => figures.kind === 'load';
const isIdle = (figures: Figures): figures is IdleFigures => figures.kind === 'idle';

const whole = (value: number) => Math.round(value).toLocaleString('en-US');
const twoDigits = (value: number) => value.toPrecision(value >= 100 ? 3 : 2);
const milliseconds = (micros: number) => (micros / 1000).toFixed(micros < 10_000 ? 2 : 1);
const megabytes = (bytes: number) => whole(bytes / 1e6);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

interface Quantity<F extends Figures> {
  readonly name: string;
  readonly of: (figures: F) => number;
  readonly show: (value: number) => string;
  readonly aim?: string | undefined;
}

function loadQuantities(quantile: 'p50' | 'p99', aims: Aims, kind: string): Quantity<LoadFigures>[] {
  return [
    { name: `${kind}/s`, of: (f) => f.rate, show: whole, aim: aims.rate },
    { name: 'CPU s per million', of: (f) => f.cpuPerMillion, show: twoDigits, aim: aims.cpu },
    { name: 'p50 ms', of: (f) => f.p50Micros, show: milliseconds, aim: quantile === 'p50' ? aims.latency : undefined },
    { name: 'p99 ms', of: (f) => f.p99Micros, show: milliseconds, aim: quantile === 'p99' ? aims.latency : undefined },
    { name: 'p99.9 ms', of: (f) => f.p999Micros, show: milliseconds },
    { name: 'own memory MB', of: (f) => f.anonymousBytes, show: megabytes },
  ];
}

const idleQuantities: readonly Quantity<IdleFigures>[] = [
  { name: 'start to first message, ms', of: (f) => f.startMs, show: whole, aim: 'LiftMQ ≤ 600 ms' },
  { name: 'idle memory MB', of: (f) => f.residentBytes, show: megabytes, aim: 'LiftMQ ≤ 120 MB' },
  { name: 'idle CPU, of a core', of: (f) => f.cpuShare, show: percent },
];

function rowsOf<F extends Figures>(
  title: string,
  quantities: readonly Quantity<F>[],
  apache: readonly F[],
  liftmq: readonly F[],
): Row[] {
  return quantities.map((quantity, index) => {
    const [ours, theirs] = [median(liftmq.map(quantity.of)), median(apache.map(quantity.of))];
    const show = (value: number) => (Number.isNaN(value) ? '' : quantity.show(value));
    return {
      cell: index === 0 ? title : '',
      quantity: quantity.name,
      apache: show(theirs),
      liftmq: show(ours),
      ratio: Number.isFinite(ours / theirs) ? twoDigits(ours / theirs) : '',
      aim: quantity.aim ?? '',
    };
  });
}

export function tableOf(results: readonly CellRuns[]): Row[] {
  return results.flatMap(({ cell, runs }) => {
    if (cell.kind === 'idle') {
      return rowsOf(cell.title, idleQuantities, runs.Apache.filter(isIdle), runs.LiftMQ.filter(isIdle));
    }
    const quantities = loadQuantities(cell.quantile, cell.aims, cell.load.mode === 'pull' ? 'pulled' : 'sent');
    return rowsOf(cell.title, quantities, runs.Apache.filter(isLoad), runs.LiftMQ.filter(isLoad));
  });
}

/** What a reader must know before believing the table: answers that were no success, a generator at its limit. */
export function warningsOf(results: readonly CellRuns[]): string[] {
  const warnings: string[] = [];
  for (const { cell, runs } of results) {
    for (const side of ['Apache', 'LiftMQ'] as const) {
      for (const figures of runs[side].filter(isLoad)) {
        if (figures.generatorShare > OWN_CPU_SHARE_MAX) {
          const share = percent(figures.generatorShare);
          warnings.push(`${cell.id}, ${side}: the generator used ${share} of a core, so that it may be the limit.`);
        }
        for (const [code, count] of Object.entries(figures.oddAnswers)) {
          warnings.push(`${cell.id}, ${side}: ${count} answers with code ${code}.`);
        }
      }
    }
  }
  return warnings;
}

const header: Row = {
  cell: 'cell',
  quantity: 'quantity',
  apache: 'Apache',
  liftmq: 'LiftMQ',
  ratio: 'ratio',
  aim: 'aim',
};
const columns = ['cell', 'quantity', 'apache', 'liftmq', 'ratio', 'aim'] as const;

/** A table that reads well both in a terminal and as Markdown. */
export function markdownOf(rows: readonly Row[]): string {
  const widths = columns.map((column) => Math.max(...[header, ...rows].map((row) => row[column].length)));
  const isNumber = (index: number) => index >= 2 && index <= 4;
  const line = (row: Row) =>
    `| ${columns
      .map((column, i) => (isNumber(i) ? row[column].padStart(widths[i] ?? 0) : row[column].padEnd(widths[i] ?? 0)))
      .join(' | ')} |`;
  const rule = `|${widths.map((width, i) => `${'-'.repeat(width + 1)}${isNumber(i) ? ':' : '-'}`).join('|')}|`;
  return [line(header), rule, ...rows.map(line)].join('\n');
}

const [begin, end] = ['<!-- results: written by npm run bench -- --write -->', '<!-- end of results -->'];

/** Puts the report between the two marks of the page. */
export function withReport(page: string, report: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error('the page has no marks between which the results belong');
  return `${page.slice(0, from + begin.length)}\n\n${report}\n\n${page.slice(to)}`;
}
