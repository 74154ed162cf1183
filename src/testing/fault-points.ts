/**
 * The named points at which a fault can meet a process, and how often one did. A disk call's point is what it does to
 * which kind of file: `write commitlog`, `rename config`; points come to be when they are first passed.
 */

/** Directories of a store whose files are of one kind. */
const kinds = ['commitlog', 'consumequeue', 'index', 'config', 'timerwheel', 'timerlog'] as const;
const files = ['checkpoint', 'abort', 'lock'] as const;
/** Paths whose kind is kept; more, and it begins anew. */
const knownPathCountMax = 20_000;

export class FaultPoints {
  /** Point → how often it was passed. */
  readonly passed = new Map<string, number>();
  /** Fault → point → how often it struck there. */
  readonly struck = new Map<string, Map<string, number>>();
  readonly #kinds = new Map<string, string>();

  pass(operation: string, path: string): void {
    const point = this.pointOf(operation, path);
    this.passed.set(point, (this.passed.get(point) ?? 0) + 1);
  }

  strike(fault: string, point: string): void {
    const points = this.struck.get(fault) ?? new Map<string, number>();
    this.struck.set(fault, points);
    points.set(point, (points.get(point) ?? 0) + 1);
  }

  pointOf(operation: string, path: string): string {
    let kind = this.#kinds.get(path);
    if (kind === undefined) {
      kind = kindOf(path);
      if (this.#kinds.size >= knownPathCountMax) this.#kinds.clear();
      this.#kinds.set(path, kind);
    }
    return `${operation} ${kind}`;
  }
}

function kindOf(path: string): string {
  const parts = path.split('/');
  const name = parts.at(-1) ?? '';
  const file = files.find((one) => name.includes(one));
  return file ?? kinds.find((kind) => parts.includes(kind)) ?? (/\.\w+$/.test(name) ? 'other file' : 'directory');
}
