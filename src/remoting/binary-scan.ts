/** The pass over a binary header of a hot command; header-binary.ts draws it. */
import { binaryFixedSize } from './header-binary.ts';
import { type HotRow, nameHashStart, nameHashStep } from './hot-row.ts';
import { languageNames } from './languages.ts';
import { Mark, type ScannedHeader } from './scanned-header.ts';

/** False: it is no header of a hot command, or malformed; nothing can be read then. */
export function scanBinary(
  header: ScannedHeader,
  rows: ReadonlyMap<number, HotRow>,
  end: number,
  fieldsMax: number,
): boolean {
  const { bytes, base: start } = header;
  if (end - start < binaryFixedSize + 8) return false;
  header.code = bytes.readInt16BE(start);
  const row = rows.get(header.code);
  if (row === undefined) return false;
  header.row = row;
  header.language = languageNames[bytes[start + 2]];
  header.version = bytes.readInt16BE(start + 3);
  header.opaque = bytes.readInt32BE(start + 5);
  header.flag = bytes.readInt32BE(start + 9);
  const remarkSize = bytes.readInt32BE(start + binaryFixedSize);
  if (remarkSize < 0 || remarkSize > end - start - binaryFixedSize - 8) return false;
  const extAt = start + binaryFixedSize + 4 + remarkSize;
  const extSize = bytes.readInt32BE(extAt);
  if (extSize < 0 || extSize > end - extAt - 4) return false;
  return scanFields(header, row, extAt + 4, extAt + 4 + extSize, fieldsMax);
}

function scanFields(header: ScannedHeader, row: HotRow, start: number, end: number, fieldsMax: number): boolean {
  const { bytes, base, starts, ends, marks } = header;
  starts.fill(-1, 0, row.fieldCount);
  let at = start;
  for (let count = 0; at < end; count++) {
    if (count === fieldsMax || at + 6 > end) return false;
    const nameAt = at + 2;
    const nameSize = bytes.readInt16BE(at);
    if (nameSize < 0 || nameSize > end - nameAt - 4) return false;
    const nameEnd = nameAt + nameSize;
    let hash = nameHashStart;
    for (let i = nameAt; i < nameEnd; i++) hash = nameHashStep(hash, bytes[i]);
    const slot = row.slotOf(bytes, nameAt, nameEnd, hash);
    const valueSize = bytes.readInt32BE(nameEnd);
    if (valueSize < 0 || valueSize > end - nameEnd - 4) return false;
    at = nameEnd + 4 + valueSize;
    if (slot < 0) continue;
    starts[slot] = valueSize === 0 ? -1 : nameEnd + 4 - base;
    ends[slot] = at - base;
    marks[slot] = Mark.WIDE;
  }
  return true;
}
