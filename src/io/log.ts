/** Structured log. `event` is a stable identifier such as `store.recovered`; `fields` carry the facts, `message` the sentence. */
export interface Log {
  debug(event: string, fields: Record<string, unknown>, message: string): void;
  info(event: string, fields: Record<string, unknown>, message: string): void;
  warn(event: string, fields: Record<string, unknown>, message: string): void;
  error(event: string, fields: Record<string, unknown>, message: string): void;
}
