/** The sum of many runs, and what is said about it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulationReport } from '../../src/testing/mod.ts';

const root = join(import.meta.dirname, '../..');
const hourMs = 3_600_000;
/** Faults that can meet any call of a disk, and those that only some can. */
const faultsOfPoints: Readonly<Record<string, RegExp>> = {
  EIO: /./,
  ENOSPC: /^(open|write|make directory) /,
  EROFS: /^(write|truncate|make directory|rename|remove|remove tree|lock) /,
  stall: /./,
  kill: /./,
  crash: /./,
};

export class Tally {
  runs = 0;
  failed = 0;
  events = 0;
  virtualMs = 0;
  sent = 0;
  acknowledged = 0;
  deliveries = 0;
  lost = 0;
  crashes = 0;
  readonly #faults = new Map<string, number>();
  readonly #struck = new Map<string, Map<string, number>>();
  readonly #passed = new Map<string, number>();
  readonly #events = new Map<string, number>();
  readonly #states = new Set<number>();

  add(report: SimulationReport): void {
    this.runs += 1;
    this.events += report.eventCount;
    this.virtualMs += report.virtualMs;
    this.sent += report.sent;
    this.acknowledged += report.acknowledged;
    this.deliveries += report.deliveries;
    this.lost += report.lost;
    this.crashes += report.crashes;
    addAll(this.#faults, report.faults);
    addAll(this.#passed, report.passed);
    addAll(this.#events, report.events);
    for (const [fault, points] of Object.entries(report.struck)) {
      const known = this.#struck.get(fault) ?? new Map<string, number>();
      this.#struck.set(fault, known);
      addAll(known, points);
    }
    for (const state of report.states) this.#states.add(state);
  }

  get hours(): number {
    return this.virtualMs / hourMs;
  }

  get faultCount(): number {
    return [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
  }

  text(seconds: number): string {
    const perHour = (count: number) => `${count} (${Math.round(count / Math.max(this.hours, 1e-9))} an hour)`;
    const lines = [
      `${this.runs + this.failed} runs, ${this.failed} failed; ${this.hours.toFixed(2)} simulated hours in ${seconds.toFixed(0)} s:` +
        ` ${Math.round(this.virtualMs / 1000 / seconds)} times real time, ${Math.round(this.events / seconds)} events a second`,
      `sent ${perHour(this.sent)}, acknowledged ${perHour(this.acknowledged)}, delivered ${perHour(this.deliveries)}`,
      `crashes ${perHour(this.crashes)}; lost by asynchronous flush, as it may, ${this.lost}; states seen ${perHour(this.#states.size)}`,
      `faults that fired ${perHour(this.faultCount)}:`,
      `  ${listOf(this.#faults)}`,
      'errors that disks gave, calls that hung, calls in whose middle a process ended:',
      ...[...this.#struck].map(([fault, points]) => `  ${fault}: ${listOf(points)}`),
      'points that a fault has not reached yet:',
      ...this.#unreached(),
      'events that a process can report and none did:',
      `  ${reportable()
        .filter((event) => ![...this.#events.keys()].some((known) => known.endsWith(` ${event}`)))
        .join(', ')}`,
    ];
    return lines.join('\n');
  }

  #unreached(): string[] {
    return Object.entries(faultsOfPoints).flatMap(([fault, applies]) => {
      const struck = this.#struck.get(fault);
      const missing = [...this.#passed.keys()].filter((point) => applies.test(point) && struck?.has(point) !== true);
      return missing.length === 0 ? [] : [`  ${fault}: ${missing.sort().join(', ')}`];
    });
  }
}

function addAll(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
}

function listOf(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

/** The events in the sources of server and client: rare branches have one each. */
function reportable(): string[] {
  const events = new Set<string>();
  for (const folder of ['broker', 'client', 'namesrv', 'remoting', 'store', 'io']) {
    for (const name of readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name.startsWith('node')) continue;
      const text = readFileSync(join(root, 'src', folder, name), 'utf8');
      for (const [, event = ''] of text.matchAll(/'((?:store|broker|client|namesrv|remoting)(?:\.[a-z-]+)+)'/g))
        events.add(event);
    }
  }
  return [...events].sort();
}
