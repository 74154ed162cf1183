/** The header of a hot command, read in place. */
import type { HeaderView } from './handler.ts';
import { absentValue, missingField, type PreparedCommand, readValue } from './rows.ts';

export class HeaderScanner implements HeaderView {
  #command: PreparedCommand | undefined;
  #texts: (string | undefined)[] = [];

  /** Takes the fields of a header that was decoded whole. */
  fill(command: PreparedCommand, extFields: ReadonlyMap<string, string>): void {
    this.#command = command;
    this.#texts = command.request.map(({ wire }) => extFields.get(wire));
    if (command.row.strict === true) {
      for (const field of command.request) {
        if (field.required && !extFields.has(field.wire)) throw missingField(command, field);
      }
    }
  }

  has(slot: number): boolean {
    return this.#texts[slot] !== undefined;
  }

  text(slot: number): string {
    return this.#texts[slot] ?? '';
  }

  name(slot: number): string {
    return this.text(slot);
  }

  i32(slot: number): number {
    return this.#value(slot) as number;
  }

  i64(slot: number): number {
    return this.#value(slot) as number;
  }

  bool(slot: number): boolean {
    return this.text(slot).toLowerCase() === 'true';
  }

  bytes(slot: number): Uint8Array {
    return Buffer.from(this.text(slot));
  }

  #value(slot: number): string | number | boolean {
    const field = this.#command?.request[slot];
    const text = this.#texts[slot];
    return field === undefined || text === undefined || text === '' ? absentValue('i32') : readValue(field, text);
  }
}
