/** A metric as a row: what it is called, what it means, and its values now. */
export interface Metric {
  /** As Prometheus shows it, unit and `_total` included. */
  readonly name: string;
  readonly help: string;
  /** A counter only grows from the start of the process on; a gauge goes up and down. */
  readonly kind: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

export type Labels = Readonly<Record<string, string>>;

export function counter(name: string, help: string, value: number, labels: Labels = {}): Metric {
  return { name, help, kind: 'counter', samples: [{ value, labels }] };
}

export function gauge(name: string, help: string, value: number, labels: Labels = {}): Metric {
  return { name, help, kind: 'gauge', samples: [{ value, labels }] };
}

/**
 * Prometheus' text format, version 0.0.4. Rows of one name, as two roles in one process give them, are put together, as
 * the format asks.
 */
export function prometheusText(metrics: readonly Metric[]): string {
  const byName = new Map<string, string>();
  for (const { name, help, kind, samples } of metrics) {
    const lines = samples.map(({ value, labels = {} }) => `${name}${labelsText(labels)} ${value}\n`).join('');
    const head = byName.get(name) ?? `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
    byName.set(name, head + lines);
  }
  return [...byName.values()].join('');
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
