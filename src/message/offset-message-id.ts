import { readI64, writeI64 } from '../common/mod.ts';

/**
 * The broker's message id: store host and place in its log, in upper-case hex. Clients ask that host for that offset.
 *
 *     ip (4 or 16)   i32 port   i64 physical offset
 */
export function offsetMessageId(ip: Uint8Array, port: number, physicalOffset: number): string {
  const bytes = Buffer.alloc(ip.length + 12);
  bytes.set(ip, 0);
  bytes.writeInt32BE(port, ip.length);
  writeI64(bytes, ip.length + 4, physicalOffset);
  return bytes.toString('hex').toUpperCase();
}

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
