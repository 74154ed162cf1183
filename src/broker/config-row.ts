/**
 * Short forms of config rows, so that a table of hundreds of keys reads as a table:
 * `ms('channelExpiredTimeout', 120_000, supported, 'A client silent for this long is removed.', { min: 1000 })`.
 */
type Status = 'supported' | { readonly accepted: string } | { readonly refused: string };

interface More {
  readonly unit?: string;
  /** May change at run time. */
  readonly mutable?: true;
  readonly min?: number;
  readonly max?: number;
}

export const supported = 'supported' as const;
/** Read, but without effect here, and that is harmless. */
export const accepted = (reason: string): Status => ({ accepted: reason });
/** Another value than the default stops the start. */
export const refused = (reason: string): Status => ({ refused: reason });

export interface Base<Name extends string> {
  readonly name: Name;
  readonly mutable: boolean;
  readonly status: Status;
  readonly doc: string;
  readonly unit?: string;
}
export interface NumberRow<Name extends string> extends Base<Name> {
  readonly kind: 'i32' | 'i64';
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
}

const base = <Name extends string>(name: Name, status: Status, doc: string, more: More) => ({
  name,
  status,
  doc,
  ...more,
  mutable: more.mutable === true,
});

export const i32 = <const Name extends string>(
  name: Name,
  byDefault: number,
  status: Status,
  doc: string,
  more: More = {},
): NumberRow<Name> => ({ ...base(name, status, doc, more), kind: 'i32', default: byDefault });

export const i64 = <const Name extends string>(
  name: Name,
  byDefault: number,
  status: Status,
  doc: string,
  more: More = {},
): NumberRow<Name> => ({ ...base(name, status, doc, more), kind: 'i64', default: byDefault });

export const bool = <const Name extends string>(
  name: Name,
  byDefault: boolean,
  status: Status,
  doc: string,
  more: More = {},
): Base<Name> & { readonly kind: 'bool'; readonly default: boolean } => ({
  ...base(name, status, doc, more),
  kind: 'bool',
  default: byDefault,
});

export const text = <const Name extends string>(
  name: Name,
  byDefault: string,
  status: Status,
  doc: string,
): Base<Name> & { readonly kind: 'text'; readonly default: string } => ({
  ...base(name, status, doc, {}),
  kind: 'text',
  default: byDefault,
});

export const oneOf = <const Name extends string, const Choices extends readonly string[]>(
  name: Name,
  choices: Choices,
  byDefault: Choices[number],
  status: Status,
  doc: string,
): Base<Name> & { readonly kind: 'oneOf'; readonly choices: Choices; readonly default: Choices[number] } => ({
  ...base(name, status, doc, {}),
  kind: 'oneOf',
  choices,
  default: byDefault,
});
