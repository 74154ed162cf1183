import { assert, readI64 } from '../common/mod.ts';

/**
 * The broker's message id: store host and place in its log, in upper-case hex. Clients ask that host for that offset.
 *
 *     ip (4 or 16)   i32 port   i64 physical offset
 */
export function offsetMessageId(ip: Uint8Array, port: number, physicalOffset: number): string {
  return offsetMessageIds(ip, port)(physicalOffset);
}

/** For a broker, which makes one for each message: everything but the offset's lower half is made once. */
export function offsetMessageIds(ip: Uint8Array, port: number): (physicalOffset: number) => string {
  const head = Buffer.alloc(ip.length + 4);
  head.set(ip, 0);
  head.writeInt32BE(port, ip.length);
  const host = head.toString('hex').toUpperCase();
  let upper = -1;
  let prefix = '';
  return (physicalOffset) => {
    assert(
      Number.isSafeInteger(physicalOffset) && physicalOffset >= 0,
      'a physical offset is a safe integer from 0 on',
    );
    const upperNow = Math.floor(physicalOffset / 0x1_0000_0000);
    if (upperNow !== upper) {
      upper = upperNow;
      prefix = host + upper.toString(16).toUpperCase().padStart(8, '0');
    }
    const lower = physicalOffset >>> 0;
    const high = hexOfByte[lower >>> 24] + hexOfByte[(lower >>> 16) & 0xff];
    return prefix + (high + (hexOfByte[(lower >>> 8) & 0xff] + hexOfByte[lower & 0xff]));
  };
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'));

/** Undefined when the text is no such id. */
export function parseOffsetMessageId(
  text: string,
): { ip: Uint8Array; port: number; physicalOffset: number } | undefined {
  if (!/^([0-9A-F]{32}|[0-9A-F]{56})$/i.test(text)) return undefined;
  const bytes = Buffer.from(text, 'hex');
  const ipLength = bytes.length - 12;
  const port = bytes.readInt32BE(ipLength);
  // The highest 11 bits: a negative offset, or one beyond 2^53.
  if (port < 0 || port > 0xffff || bytes[ipLength + 4] !== 0 || bytes[ipLength + 5] >= 0x20) return undefined;
  return { ip: bytes.subarray(0, ipLength), port, physicalOffset: readI64(bytes, ipLength + 4) };
}
