import type { Log } from '../io/mod.ts';

/** The last lines of every process of a world, to be shown when a run fails. */
export class LogRing {
  readonly #nowUs: () => number;
  readonly #lineCountMax: number;
  readonly #print: ((line: string) => void) | undefined;
  readonly #lines: string[] = [];
  #next = 0;

  constructor(nowUs: () => number, lineCountMax: number, print: ((line: string) => void) | undefined) {
    this.#nowUs = nowUs;
    this.#lineCountMax = lineCountMax;
    this.#print = print;
  }

  /** Oldest first. */
  lines(): string[] {
    return [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }

  add(owner: string, level: string, event: string, fields: Record<string, unknown>, message: string): void {
    const time = (this.#nowUs() / 1000).toFixed(3).padStart(12);
    const line = `${time} ${owner} ${level} ${event} ${message} ${JSON.stringify(fields, plain)}`;
    this.#print?.(line);
    if (this.#lines.length < this.#lineCountMax) {
      this.#lines.push(line);
    } else {
      this.#lines[this.#next] = line;
      this.#next = (this.#next + 1) % this.#lineCountMax;
    }
  }

  logOf(owner: string): Log {
    const at = (level: string) => (event: string, fields: Record<string, unknown>, message: string) =>
      this.add(owner, level, event, fields, message);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return value.cause === undefined ? `${value}` : `${value} <- ${value.cause}`;
  return value;
}
