import { crc32 as nativeCrc32 } from 'node:zlib';

/**
 * CRC-32 (IEEE, as java.util.zip.CRC32). The native call has a fixed price of some 200 ns, so that short inputs go
 * through tables here: four bytes a step, table `n` holding the checksum of a byte that `n` zero bytes follow.
 */
const nativeFrom = 200;

const tables = makeTables();
const [table0, table1, table2, table3] = tables;

function makeTables(): [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    first[byte] = value >>> 0;
  }
  const follow = (previous: Uint32Array) => previous.map((value) => first[value & 0xff] ^ (value >>> 8));
  const second = follow(first);
  const third = follow(second);
  return [first, second, third, follow(third)];
}

/** The unsigned checksum; `seed` is the checksum of what came before. RocketMQ masks it with 0x7FFFFFFF. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const length = bytes.length;
  if (length >= nativeFrom) return nativeCrc32(bytes, seed);
  let crc = ~seed;
  let at = 0;
  for (const end = length - 3; at < end; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = table3[crc & 0xff] ^ table2[(crc >>> 8) & 0xff] ^ table1[(crc >>> 16) & 0xff] ^ table0[crc >>> 24];
  }
  for (; at < length; at++) crc = table0[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
