/**
 * Answers of one command differ from each other in their values, and mostly not in the lengths of those: so the header
 * of the last one is kept, copied as a whole, and the values are written over it.
 *
 *     {"code":0,"extFields":{"msgId":"…","queueId":"…", … },"flag":1,"language":"JAVA","opaque":…,…}
 *                                     ^at[0]        ^at[1]                                     ^opaqueAt
 *
 * Kept are successes in JSON whose values are numbers from 0 on and texts of characters that need no escape; an answer
 * of another shape is written piece by piece (frame-writer.ts) and takes the place of the one before.
 */
import { digitCount, writeDigits } from './digits.ts';
import type { FieldValue, FieldValues } from './field-values.ts';

type Extra = Readonly<Record<string, string>>;

export class AnswerTemplate {
  /** The size of what announces each field: `"wire":"`. */
  readonly #keySizes: readonly number[];
  #bytes: Buffer | undefined;
  /** What precedes and follows the values. */
  #kind: object | undefined;
  #extra: Extra | undefined;
  /** Place and size of each value; size 0 for one that is left out. */
  readonly #at: number[];
  readonly #sizes: number[];
  #opaqueAt = 0;
  #opaqueSize = 0;

  constructor(keySizes: readonly number[]) {
    this.#keySizes = keySizes;
    this.#at = keySizes.map(() => 0);
    this.#sizes = keySizes.map(() => 0);
  }

  /** Of the header that is kept; 0 when there is none. */
  get size(): number {
    return this.#bytes === undefined ? 0 : this.#bytes.length;
  }

  /**
   * Writes the header at `at`, where `size` bytes are free. False when this answer is of another shape: what was
   * written then is to be written over.
   */
  write(
    block: Buffer,
    at: number,
    kind: object,
    opaque: number,
    values: FieldValues,
    extra: Extra | undefined,
  ): boolean {
    const bytes = this.#bytes;
    if (bytes === undefined || kind !== this.#kind || extra !== this.#extra) return false;
    if (opaque < 0 || digitCount(opaque) !== this.#opaqueSize) return false;
    block.set(bytes, at);
    for (let i = 0; i < this.#keySizes.length; i++) {
      const value = values[i];
      const size = this.#sizes[i];
      const place = at + this.#at[i];
      if (value === undefined) {
        if (size !== 0) return false;
      } else if (typeof value === 'string') {
        if (value === '' || value.length !== size || !writePlainText(block, place, value)) return false;
      } else if (typeof value === 'number') {
        if (!isPlainNumber(value) || digitCount(value) !== size) return false;
        writeDigits(block, place, value, size);
      } else if (typeof value === 'object' && value.size === size) value.write(block, place);
      else return false;
    }
    writeDigits(block, at + this.#opaqueAt, opaque, this.#opaqueSize);
    return true;
  }

  /**
   * Keeps the header of an answer with these values, if it is of the usual shape. Its first key begins at `fieldsAt`,
   * its opaque ends at `opaqueEnd`.
   */
  keep(
    header: Buffer,
    kind: object,
    opaque: number,
    values: FieldValues,
    extra: Extra | undefined,
    fieldsAt: number,
    opaqueEnd: number,
  ): void {
    this.#bytes = undefined;
    let at = fieldsAt;
    for (const [i, keySize] of this.#keySizes.entries()) {
      const value = values[i];
      this.#sizes[i] = 0;
      if (value === undefined) continue;
      const size = plainSize(value);
      if (size === 0) return;
      at += keySize;
      this.#at[i] = at;
      this.#sizes[i] = size;
      at += size + betweenSize;
    }
    if (opaque < 0) return;
    this.#opaqueSize = digitCount(opaque);
    this.#opaqueAt = opaqueEnd - this.#opaqueSize;
    this.#kind = kind;
    this.#extra = extra;
    this.#bytes = Buffer.from(header);
  }
}

/** A value's closing quote, and the comma. */
const betweenSize = 2;

function isPlainNumber(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value);
}

function isPlainUnit(unit: number): boolean {
  return unit >= 0x20 && unit < 0x80 && unit !== 0x22 && unit !== 0x5c;
}

/** The bytes that the value takes as it is; 0 for a value that is not usual. */
function plainSize(value: FieldValue): number {
  if (typeof value === 'number') return isPlainNumber(value) ? digitCount(value) : 0;
  if (typeof value === 'object') return value.size;
  if (typeof value !== 'string') return 0;
  for (let i = 0; i < value.length; i++) if (!isPlainUnit(value.charCodeAt(i))) return 0;
  return value.length;
}

function writePlainText(block: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (!isPlainUnit(unit)) return false;
    block[at + i] = unit;
  }
  return true;
}
