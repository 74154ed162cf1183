import type { Log } from '../io/mod.ts';

interface Entry {
  timeUs: number;
  owner: string;
  name: string;
  fields: Record<string, unknown>;
  message: string;
}

/** The last lines of every process of a world, to be shown when a run fails. */
export class LogRing {
  readonly #nowUs: () => number;
  readonly #lineCountMax: number;
  readonly #print: ((line: string) => void) | undefined;
  readonly #entries: Entry[] = [];
  /** `level event` → how often it was reported. */
  readonly counts = new Map<string, number>();
  #next = 0;

  constructor(nowUs: () => number, lineCountMax: number, print: ((line: string) => void) | undefined) {
    this.#nowUs = nowUs;
    this.#lineCountMax = lineCountMax;
    this.#print = print;
  }

  /** Oldest first. */
  lines(): string[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)].map(lineOf);
  }

  add(owner: string, level: string, event: string, fields: Record<string, unknown>, message: string): void {
    const name = `${level} ${event}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    const entry = { timeUs: this.#nowUs(), owner, name, fields, message };
    this.#print?.(lineOf(entry));
    if (this.#entries.length < this.#lineCountMax) {
      this.#entries.push(entry);
    } else {
      this.#entries[this.#next] = entry;
      this.#next = (this.#next + 1) % this.#lineCountMax;
    }
  }

  logOf(owner: string): Log {
    const at = (level: string) => (event: string, fields: Record<string, unknown>, message: string) =>
      this.add(owner, level, event, fields, message);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

function lineOf({ timeUs, owner, name, fields, message }: Entry): string {
  const time = (timeUs / 1000).toFixed(3).padStart(12);
  return `${time} ${owner} ${name} ${message} ${JSON.stringify(fields, plain)}`;
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return value.cause === undefined ? `${value}` : `${value} <- ${value.cause}`;
  return value;
}
