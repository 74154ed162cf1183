/** A hot command's row, prepared so that the name of a field is found from its bytes. */
import type { PreparedCommand } from './rows.ts';

/** The table grows until no two names of the row share a place. */
const tableSizeMax = 4096;

/** The start and the step of the hash that `slotOf` wants; kept by the scanner while it passes over a name. */
export const nameHashStart = 0;
export const nameHashStep = (hash: number, byte: number): number => (Math.imul(hash, 31) + byte) | 0;

export class HotRow {
  readonly command: PreparedCommand;
  readonly fieldCount: number;
  /** Slot by the only letter of its name, −1 for none: SEND_MESSAGE_V2 and its kin. */
  readonly letters = new Int8Array(256).fill(-1);
  readonly #names: readonly Buffer[];
  /** Slot + 1 by hash; 0 for none. */
  readonly #table: Uint8Array;

  constructor(command: PreparedCommand) {
    this.command = command;
    this.fieldCount = command.request.length;
    this.#names = command.request.map(({ wire }) => Buffer.from(wire, 'latin1'));
    this.#table = makeTable(this.#names);
    for (const [slot, name] of this.#names.entries()) if (name.length === 1) this.letters[name[0]] = slot;
  }

  /** The slot of the name `bytes[start, end)`, whose hash is given; −1 when the row has no such field. */
  slotOf(bytes: Buffer, start: number, end: number, hash: number): number {
    const slot = this.#table[place(hash, this.#table.length)] - 1;
    if (slot < 0) return -1;
    const name = this.#names[slot];
    if (name.length !== end - start) return -1;
    for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return -1;
    return slot;
  }
}

function place(hash: number, tableSize: number): number {
  return (hash ^ (hash >>> 9)) & (tableSize - 1);
}

function makeTable(names: readonly Buffer[]): Uint8Array {
  for (let size = 32; size <= tableSizeMax; size *= 2) {
    const table = new Uint8Array(size);
    let collided = false;
    for (const [slot, name] of names.entries()) {
      const at = place(name.reduce(nameHashStep, nameHashStart), size);
      collided ||= table[at] !== 0;
      table[at] = slot + 1;
    }
    if (!collided) return table;
  }
  throw new Error(`no table of ${tableSizeMax} places tells the names of a hot row apart`);
}
