/**
 * The hot path of headers: those of hot commands are read in place. First from memory of headers like it
 * (header-shapes.ts), else by a pass over the bytes (json-scan.ts, binary-scan.ts); what is unusual is left to the
 * general codec (header.ts). All agree on what they accept.
 */
import { assert } from '../common/mod.ts';
import { scanBinary } from './binary-scan.ts';
import { Serialization } from './frame.ts';
import { HeaderShapes } from './header-shapes.ts';
import type { HotRow } from './hot-row.ts';
import { JsonScan } from './json-scan.ts';
import { Mark, ScannedHeader, slotsMax } from './scanned-header.ts';

export class HeaderScanner extends ScannedHeader {
  readonly #rows: ReadonlyMap<number, HotRow>;
  readonly #fieldsMax: number;
  readonly #shapes = new HeaderShapes();
  readonly #json: JsonScan;
  /** Where a pass notes what it finds; a header read from memory has the arrays of its shape. */
  readonly #starts = this.starts;
  readonly #ends = this.ends;
  readonly #marks = this.marks;

  constructor(rows: readonly HotRow[], fieldsMax: number) {
    super();
    for (const row of rows) assert(row.fieldCount <= slotsMax, 'a hot row fits the slots');
    this.#rows = new Map(rows.map((row) => [row.command.row.code, row]));
    this.#fieldsMax = fieldsMax;
    this.#json = new JsonScan(this, this.#rows, fieldsMax);
  }

  /**
   * Scans `bytes[start, end)`, which must stay as they are while the view is used. False: it is no header of a hot
   * command, or an unusual one; nothing can be read then.
   */
  scan(bytes: Buffer, start: number, end: number, serialization: number): boolean {
    this.bytes = bytes;
    this.base = start;
    if (serialization === Serialization.JSON) {
      if (this.#shapes.match(this, end)) return true;
      this.#begin();
      if (!this.#json.run(end)) return false;
      this.#shapes.learn(this, end, this.#json.opaqueStart, this.#json.opaqueEnd);
      return true;
    }
    this.#begin();
    return serialization === Serialization.BINARY && scanBinary(this, this.#rows, end, this.#fieldsMax);
  }

  /** Takes the fields of a header that was decoded whole. */
  fill(row: HotRow, extFields: ReadonlyMap<string, string>): void {
    this.#begin();
    this.row = row;
    this.base = 0;
    this.starts.fill(-1, 0, row.fieldCount);
    const texts = row.command.request.map(({ wire }) => extFields.get(wire));
    const size = texts.reduce((sum, text) => sum + (text === undefined ? 0 : Buffer.byteLength(text)), 0);
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const [slot, text] of texts.entries()) {
      if (text === undefined) continue;
      this.starts[slot] = at;
      at += bytes.write(text, at);
      this.ends[slot] = at;
      this.marks[slot] = Mark.WIDE;
    }
    this.bytes = bytes;
  }

  #begin(): void {
    this.row = undefined;
    this.starts = this.#starts;
    this.ends = this.#ends;
    this.marks = this.#marks;
    this.code = 0;
    this.flag = 0;
    this.opaque = 0;
    this.version = 0;
    this.language = undefined;
  }
}
