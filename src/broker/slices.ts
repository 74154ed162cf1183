import { writeLooseJson } from '../common/mod.ts';
import type { Timers } from '../io/mod.ts';

/**
 * Large texts, written in slices: the tables of 50,000 topics at once would hold up every client for a tenth of a second.
 * What is made between two turns of the event loop is about this long, a few milliseconds of work.
 */
const sliceLength = 200_000;

/**
 * The UTF-8 bytes of the texts, one after the other. They are asked for as the work goes on: those that must agree with
 * each other are made from a copy.
 */
export async function bytesInSlices(
  texts: Iterable<string> | AsyncIterable<string>,
  timers: Pick<Timers, 'soon'>,
): Promise<Uint8Array[]> {
  const slices: Uint8Array[] = [];
  let slice = '';
  for await (const text of texts) {
    slice += text;
    if (slice.length < sliceLength) continue;
    slices.push(Buffer.from(slice, 'utf8'));
    slice = '';
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
  slices.push(Buffer.from(slice, 'utf8'));
  return slices;
}

/** `before`, the rows with commas between them, `after`. */
export async function* listed(
  before: string,
  rows: Iterable<string> | AsyncIterable<string>,
  after: string,
): AsyncIterable<string> {
  yield before;
  let separator = '';
  for await (const row of rows) {
    yield separator + row;
    separator = ',';
  }
  yield after;
}

/** The members of an object whose values are JSON texts already. */
export function* membersOf(rows: Iterable<readonly [key: string, json: string]>): Iterable<string> {
  for (const [key, json] of rows) yield `${writeLooseJson(key)}:${json}`;
}
