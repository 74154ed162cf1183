/**
 * The binary header (serialization type ROCKETMQ), all integers big-endian and signed:
 *
 *     int16 code | int8 language | int16 version | int32 opaque | int32 flag
 *     int32 remarkLength | remark | int32 extLength | { int16 keyLength | key | int32 valueLength | value }*
 *
 * A length of 0 means null, and a null value an absent field, as in RocketMQ. Codes above 32,767 do not fit.
 */
import { FrameError } from './frame.ts';
import type { HeaderLimits, RemotingHeader } from './header.ts';
import { languageNames } from './languages.ts';

/** Bytes before the remark's length. */
export const binaryFixedSize = 13;

export function decodeBinaryHeader(bytes: Buffer, start: number, end: number, limits: HeaderLimits): RemotingHeader {
  if (end - start < binaryFixedSize) throw new FrameError('a binary header that ends too early');
  const header: RemotingHeader = {
    code: bytes.readInt16BE(start),
    language: languageNames[bytes.readInt8(start + 2)],
    version: bytes.readInt16BE(start + 3),
    opaque: bytes.readInt32BE(start + 5),
    flag: bytes.readInt32BE(start + 9),
    remark: undefined,
    extFields: new Map(),
  };
  let at = start + binaryFixedSize;
  const remarkSize = sizeAt(bytes, at, end, 4);
  at += 4;
  if (remarkSize > 0) header.remark = bytes.toString('utf8', at, at + remarkSize);
  at += remarkSize;
  const extEnd = at + 4 + sizeAt(bytes, at, end, 4);
  at += 4;
  let count = 0;
  while (at < extEnd) {
    if (++count > limits.headerFieldsMax) {
      throw new FrameError(`a header with more than ${limits.headerFieldsMax} extFields`);
    }
    const keySize = sizeAt(bytes, at, extEnd, 2);
    const key = bytes.toString('utf8', at + 2, at + 2 + keySize);
    at += 2 + keySize;
    const valueSize = sizeAt(bytes, at, extEnd, 4);
    if (valueSize > 0) header.extFields.set(key, bytes.toString('utf8', at + 4, at + 4 + valueSize));
    else header.extFields.delete(key);
    at += 4 + valueSize;
  }
  return header;
}

/** Reads a length of `width` bytes (2 or 4) at `at` and checks that what it announces ends by `end`. */
function sizeAt(bytes: Buffer, at: number, end: number, width: 2 | 4): number {
  if (at + width > end) throw new FrameError('a binary header that ends too early');
  const size = width === 2 ? bytes.readInt16BE(at) : bytes.readInt32BE(at);
  if (size < 0 || size > end - at - width) throw new FrameError(`a length of ${size} in a binary header`);
  return size;
}
