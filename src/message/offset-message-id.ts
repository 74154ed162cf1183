import { assert, readI64 } from '../common/mod.ts';

/**
 * The broker's message id: store host and place in its log, in upper-case hex. Clients ask that host for that offset.
 *
 *     ip (4 or 16)   i32 port   i64 physical offset
 */
export function offsetMessageId(ip: Uint8Array, port: number, physicalOffset: number): string {
  return new OffsetMessageIds(ip, port).at(physicalOffset).toString();
}

/** For a broker, which makes one for each message: the id of the message at the offset given last, as text that writes itself. */
export class OffsetMessageIds {
  /** Of the text, in bytes. */
  readonly size: number;
  readonly #text: Buffer;
  #upper = 0;
  #lower = 0;

  constructor(ip: Uint8Array, port: number) {
    const id = Buffer.alloc(ip.length + 12);
    id.set(ip, 0);
    id.writeInt32BE(port, ip.length);
    this.#text = Buffer.from(id.toString('hex').toUpperCase(), 'latin1');
    this.size = this.#text.length;
  }

  at(physicalOffset: number): this {
    assert(
      Number.isSafeInteger(physicalOffset) && physicalOffset >= 0,
      'a physical offset is a safe integer from 0 on',
    );
    this.#lower = physicalOffset >>> 0;
    const upper = Math.floor(physicalOffset / 0x1_0000_0000);
    if (upper !== this.#upper) {
      this.#upper = upper;
      writeHex(this.#text, this.size - 16, upper);
    }
    return this;
  }

  write(target: Uint8Array, at: number): void {
    const text = this.#text;
    const lowerAt = this.size - 8;
    for (let i = 0; i < lowerAt; i++) target[at + i] = text[i];
    writeHex(target, at + lowerAt, this.#lower);
  }

  toString(): string {
    const bytes = Buffer.alloc(this.size);
    this.write(bytes, 0);
    return bytes.toString('latin1');
  }
}

const hexDigits = Buffer.from('0123456789ABCDEF', 'latin1');

/** Eight digits. */
function writeHex(target: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 8; i++) target[at + i] = hexDigits[(value >>> (28 - 4 * i)) & 15];
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
