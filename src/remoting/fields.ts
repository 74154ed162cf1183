/**
 * Field schemas of request and response headers. A header is a flat map of strings on the wire (`extFields`); a field
 * says under which wire name it travels and what it is read as. Types, codecs and documentation derive from these rows.
 */

/**
 * - `text`: string.
 * - `i32`: number, -2^31 … 2^31-1.
 * - `i64`: number, refused beyond ±(2^53-1): offsets and sizes.
 * - `time`: i64 saturated at ±(2^53-1): clients send Long.MAX as "no end".
 * - `bool`: true for "true" in any case, else false (Java's parseBoolean).
 */
export type FieldKind = 'text' | 'i32' | 'i64' | 'time' | 'bool';

export interface Field<T = unknown, Required extends boolean = boolean> {
  readonly kind: FieldKind;
  /** Name on the wire when it differs from the row's key (SEND_MESSAGE_V2 uses single letters). */
  readonly wire: string | undefined;
  readonly required: Required;
  optional(): Field<T, false>;
  /** Carries the type only; never set. */
  readonly type?: T;
}

export type Fields = Readonly<Record<string, Field>>;

/** The object that a header decodes to; optional fields may be absent. */
export type ValuesOf<F extends Fields> = {
  [K in keyof F as F[K] extends Field<unknown, true> ? K : never]: F[K] extends Field<infer T> ? T : never;
} & {
  [K in keyof F as F[K] extends Field<unknown, true> ? never : K]?: F[K] extends Field<infer T> ? T | undefined : never;
};

function field<T>(kind: FieldKind, wire: string | undefined): Field<T, true> {
  return {
    kind,
    wire,
    required: true,
    optional: () => ({ ...field<T>(kind, wire), required: false }) as Field<T, false>,
  };
}

export const text = (wire?: string): Field<string, true> => field('text', wire);
export const i32 = (wire?: string): Field<number, true> => field('i32', wire);
export const i64 = (wire?: string): Field<number, true> => field('i64', wire);
export const time = (wire?: string): Field<number, true> => field('time', wire);
export const bool = (wire?: string): Field<boolean, true> => field('bool', wire);
