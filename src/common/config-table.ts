/**
 * Configuration as a table: each key of a role is one row, and reading, checking, run-time changes and documentation
 * derive from it.
 */
interface RowBase {
  readonly name: string;
  /** Of the value: 'ms', 'bytes', 's', '%'… */
  readonly unit?: string;
  /** Whether it may change at run time. */
  readonly mutable: boolean;
  /**
   * 'supported': works. `accepted`: read, but without effect, and that is harmless (the reason says why).
   * `refused`: a value other than the default stops the start (the reason says why, and what to do).
   */
  readonly status: 'supported' | { readonly accepted: string } | { readonly refused: string };
  readonly doc: string;
}

export type ConfigRow =
  | (RowBase & {
      readonly kind: 'i32' | 'i64' | 'float';
      readonly default: number;
      readonly min?: number;
      readonly max?: number;
    })
  | (RowBase & { readonly kind: 'bool'; readonly default: boolean })
  | (RowBase & { readonly kind: 'text'; readonly default: string })
  | (RowBase & { readonly kind: 'oneOf'; readonly choices: readonly string[]; readonly default: string });

type ValueOf<R extends ConfigRow> = R extends { kind: 'oneOf'; choices: readonly (infer C)[] }
  ? C
  : R extends { kind: 'bool' }
    ? boolean
    : R extends { kind: 'text' }
      ? string
      : number;

/** The object that a table declared `as const satisfies readonly ConfigRow[]` reads to. */
export type ConfigValues<Rows extends readonly ConfigRow[]> = {
  [R in Rows[number] as R['name']]: ValueOf<R>;
};

export interface ConfigReading<Rows extends readonly ConfigRow[]> {
  values: ConfigValues<Rows>;
  /** Sentences about keys that have no effect. */
  warnings: string[];
  /** Sentences about keys that forbid the start; empty when all is well. */
  refusals: string[];
}

/** Reads properties by the table; keys that are absent get their defaults. */
export function readConfig<const Rows extends readonly ConfigRow[]>(
  rows: Rows,
  properties: ReadonlyMap<string, string>,
): ConfigReading<Rows> {
  const values: Record<string, ConfigValue> = {};
  const warnings: string[] = [];
  const refusals: string[] = [];
  for (const row of rows) values[row.name] = row.default;
  for (const [name, text] of properties) {
    const row = rows.find((candidate) => candidate.name === name);
    if (row === undefined) {
      warnings.push(unknownKey(rows, name));
      continue;
    }
    const reading = readValue(row, text);
    if ('problem' in reading) {
      refusals.push(reading.problem);
      continue;
    }
    values[name] = reading.value;
    if (row.status === 'supported' || reading.value === row.default) continue;
    if ('accepted' in row.status) warnings.push(`${name} has no effect: ${row.status.accepted}`);
    else refusals.push(`${name}=${text.trim()} is not supported: ${row.status.refused}`);
  }
  // A copy has its properties at fixed places, while an object that grew to hundreds of them is a hash table: some are
  // read for every message.
  return { values: { ...values } as ConfigValues<Rows>, warnings, refusals };
}

/**
 * Changes `values` at run time, all of the properties or none. Gives the sentences that say why not; empty when done.
 */
export function changeConfig<const Rows extends readonly ConfigRow[]>(
  rows: Rows,
  values: ConfigValues<Rows>,
  properties: ReadonlyMap<string, string>,
): string[] {
  const target = values as Record<string, ConfigValue>;
  const changes: [string, ConfigValue][] = [];
  const refusals: string[] = [];
  for (const [name, text] of properties) {
    const row = rows.find((candidate) => candidate.name === name);
    if (row === undefined) {
      refusals.push(unknownKey(rows, name));
      continue;
    }
    const reading = readValue(row, text);
    if ('problem' in reading) refusals.push(reading.problem);
    else if (reading.value === target[name]) continue;
    else if (row.status !== 'supported') refusals.push(`${name} is not supported`);
    else if (!row.mutable) refusals.push(`${name} can only be changed in the file, with a restart`);
    else changes.push([name, reading.value]);
  }
  if (refusals.length === 0) for (const [name, value] of changes) target[name] = value;
  return refusals;
}

type ConfigValue = number | boolean | string;

function readValue(row: ConfigRow, text: string): { value: ConfigValue } | { problem: string } {
  const trimmed = text.trim();
  const problem = (wanted: string) => ({ problem: `${row.name}=${trimmed}: ${wanted}` });
  switch (row.kind) {
    case 'text':
      return { value: trimmed };
    case 'bool': {
      const lower = trimmed.toLowerCase();
      return lower === 'true' || lower === 'false' ? { value: lower === 'true' } : problem('must be true or false');
    }
    case 'oneOf':
      return row.choices.includes(trimmed) ? { value: trimmed } : problem(`must be one of ${row.choices.join(', ')}`);
    default: {
      const min = row.min ?? (row.kind === 'i32' ? -(2 ** 31) : Number.MIN_SAFE_INTEGER);
      const max = row.max ?? (row.kind === 'i32' ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER);
      const grammar = row.kind === 'float' ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
      const value = grammar.test(trimmed) ? Number(trimmed) : Number.NaN;
      if (value >= min && value <= max) return { value };
      const unit = row.unit === undefined ? '' : ` ${row.unit}`;
      return problem(`must be a ${row.kind === 'float' ? 'number' : 'whole number'} from ${min} to ${max}${unit}`);
    }
  }
}

function unknownKey(rows: readonly ConfigRow[], name: string): string {
  const shown = name.slice(0, nameLengthMax);
  let nearest: string | undefined;
  let distance = Math.min(4, Math.ceil(shown.length / 3) + 1);
  for (const row of rows) {
    const candidate = editDistance(shown.toLowerCase(), row.name.toLowerCase());
    if (candidate < distance) {
      distance = candidate;
      nearest = row.name;
    }
  }
  return nearest === undefined ? `unknown key ${shown}` : `unknown key ${shown}: did you mean ${nearest}?`;
}

/** Bounds the cost of the comparison below. */
const nameLengthMax = 100;

/** Levenshtein: the least number of single-character insertions, deletions and changes. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = previous[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, previous[column] + 1, current[column - 1] + 1));
    }
    previous = current;
  }
  return previous[b.length];
}
