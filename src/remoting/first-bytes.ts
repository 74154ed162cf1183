/**
 * What a connection begins with. A frame begins with 0, because none is 16 MiB long; everything else is told apart
 * by its first bytes:
 *
 *     00                                     remoting
 *     16                                     TLS (a handshake record)
 *     50 52 4f 58 59 20        "PROXY "      PROXY protocol v1, one line of text
 *     0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a    PROXY protocol v2, binary
 *
 * A PROXY header is consumed, its source address replaces the peer's, and the stream begins anew behind it.
 * The format: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
import type { Endpoint } from '../io/mod.ts';
import { ipBytes } from './address.ts';

type FirstBytes =
  | { readonly kind: 'remoting' }
  /** Too few bytes to tell. */
  | { readonly kind: 'more' }
  /** `source` is undefined when the proxy speaks for itself (its health check). */
  | { readonly kind: 'proxy'; readonly sizeBytes: number; readonly source: Endpoint | undefined }
  | { readonly kind: 'tls' }
  | { readonly kind: 'refused'; readonly looksLike: string };

const proxyV1Start = Buffer.from('PROXY ', 'latin1');
const proxyV2Start = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** The longest v1 line, with its end; and what a v2 header may carry (addresses and TLVs) at most. */
const proxyV1SizeMax = 107;
const proxyV2SizeMax = 16 + 4096;
const httpMethods = ['GET ', 'POST ', 'PUT ', 'HEAD ', 'DELETE ', 'OPTIONS ', 'PATCH ', 'CONNECT ', 'TRACE '];

/** Never more than this many bytes are needed to tell what a connection begins with. */
export const firstBytesMax = proxyV2SizeMax;

/** Judges what has arrived so far, at least one byte. */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  if (bytes[0] === 0x00) return { kind: 'remoting' };
  if (bytes[0] === 0x16) return { kind: 'tls' };
  if (startsLike(bytes, proxyV1Start)) return readProxyV1(bytes);
  if (startsLike(bytes, proxyV2Start)) return readProxyV2(bytes);
  return { kind: 'refused', looksLike: nameOf(bytes) };
}

/** As far as both go. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const size = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, size, 0, size) === 0;
}

/** `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n`, or `PROXY UNKNOWN …\r\n`. */
function readProxyV1(bytes: Buffer): FirstBytes {
  const lineEnd = bytes.subarray(0, proxyV1SizeMax).indexOf('\r\n', 0, 'latin1');
  if (lineEnd < 0) {
    return bytes.length < proxyV1SizeMax
      ? { kind: 'more' }
      : { kind: 'refused', looksLike: 'a PROXY v1 line without an end' };
  }
  const sizeBytes = lineEnd + 2;
  const [, protocol, host, , port, ...rest] = bytes.toString('latin1', 0, lineEnd).split(' ');
  if (protocol === 'UNKNOWN') return { kind: 'proxy', sizeBytes, source: undefined };
  const ipSize = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 16 : 0;
  const portNumber = /^\d{1,5}$/.test(port ?? '') ? Number(port) : -1;
  if (ipBytes(host ?? '')?.length !== ipSize || portNumber < 0 || portNumber > 65_535 || rest.length !== 1) {
    return { kind: 'refused', looksLike: 'a malformed PROXY v1 line' };
  }
  return { kind: 'proxy', sizeBytes, source: { host, port: portNumber } };
}

/**
 *      0            12       13      14         16
 *      +------------+--------+-------+----------+-----------------------------------------------+
 *      | signature  | v4 c4  | f4 p4 | size u16 | source ip | target ip | source port | … TLVs  |
 *      +------------+--------+-------+----------+-----------------------------------------------+
 *
 * v: 2. c: 0 LOCAL, 1 PROXY. f: 1 IPv4, 2 IPv6, else no address that we could use.
 */
function readProxyV2(bytes: Buffer): FirstBytes {
  if (bytes.length < 16) return { kind: 'more' };
  const version = bytes[12] >> 4;
  const command = bytes[12] & 15;
  const sizeBytes = 16 + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || sizeBytes > proxyV2SizeMax) {
    return { kind: 'refused', looksLike: 'a malformed PROXY v2 header' };
  }
  if (bytes.length < sizeBytes) return { kind: 'more' };
  const family = bytes[13] >> 4;
  if (command === 0 || (family !== 1 && family !== 2)) return { kind: 'proxy', sizeBytes, source: undefined };
  const ipSize = family === 1 ? 4 : 16;
  if (sizeBytes < 16 + 2 * ipSize + 4) return { kind: 'refused', looksLike: 'a malformed PROXY v2 header' };
  const host = family === 1 ? ipv4Text(bytes, 16) : ipv6Text(bytes, 16);
  return { kind: 'proxy', sizeBytes, source: { host, port: bytes.readUInt16BE(16 + 2 * ipSize) } };
}

function ipv4Text(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

/** Eight groups in full; a mapped IPv4 address as IPv4. */
function ipv6Text(bytes: Buffer, at: number): string {
  if (bytes.toString('hex', at, at + 12) === '00000000000000000000ffff') return ipv4Text(bytes, at + 12);
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(at + 2 * group).toString(16)).join(':');
}

function nameOf(bytes: Buffer): string {
  const text = bytes.toString('latin1', 0, 24);
  if (text.startsWith('PRI * HTTP/2')) return 'HTTP/2, as gRPC clients send it: their endpoint is the proxy port';
  const method = httpMethods.find((name) => text.startsWith(name));
  if (method !== undefined) return `an HTTP request (${method.trim()})`;
  if (text.startsWith('SSH-')) return 'SSH';
  if (text.slice(4, 8) === 'MQTT') return 'MQTT';
  return `no RocketMQ frame (${bytes.toString('hex', 0, 16)})`;
}
