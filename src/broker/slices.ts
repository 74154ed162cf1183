import { writeLooseJson } from '../common/mod.ts';
import type { Timers } from '../io/mod.ts';

/**
 * Rows of a table that are written between two turns of the event loop: some milliseconds of work. All 50,000 of a large
 * broker at once would hold up every client for a tenth of a second.
 */
const rowsPerSlice = 1000;

/**
 * The UTF-8 text `before` + the rows, separated by commas + `after`, in pieces. The rows are asked for as the text
 * grows: those that must agree with each other are taken from a copy.
 */
export async function textInSlices(
  before: string,
  rows: Iterable<string> | AsyncIterable<string>,
  after: string,
  timers: Pick<Timers, 'soon'>,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let text = before;
  let count = 0;
  for await (const row of rows) {
    if (count > 0) text += ',';
    text += row;
    if (++count % rowsPerSlice !== 0) continue;
    pieces.push(Buffer.from(text, 'utf8'));
    text = '';
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
  pieces.push(Buffer.from(text + after, 'utf8'));
  return pieces;
}

/** The members of an object whose values are JSON texts already. */
export function* membersOf(rows: Iterable<readonly [key: string, json: string]>): Iterable<string> {
  for (const [key, json] of rows) yield `${writeLooseJson(key)}:${json}`;
}
