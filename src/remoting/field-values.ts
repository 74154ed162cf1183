/** The values of a header's fields as they are written: by slot, in the order of the row. */

/**
 * Text that writes itself, so that no string is made of it for each answer: plain ASCII, nothing that JSON escapes.
 * `toString` gives the same text.
 */
export interface WrittenText {
  /** In bytes. */
  readonly size: number;
  write(target: Uint8Array, at: number): void;
  toString(): string;
}

export type FieldValue = string | number | boolean | WrittenText;

/** Undefined ones are left out. */
export type FieldValues = readonly (FieldValue | undefined)[];
