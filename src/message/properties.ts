import { assert } from '../common/mod.ts';

/**
 * The properties of a message, one UTF-8 string:
 *
 *     name 0x01 value 0x02  name 0x01 value 0x02 …
 *
 * The last 0x02 may be missing (old producers). Items without a name, without 0x01 or without a value are skipped; of
 * equal names the last one counts (RocketMQ: MessageDecoder.string2messageProperties).
 */
const nameEnd = 1;
const itemEnd = 2;

/** `entries` in their order. Empty values are left out, since no reader would see them. */
export function encodeProperties(entries: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [name, value] of entries) {
    assert(!separators.test(name) && name !== '', 'a property name is not empty and has no separator');
    assert(!separators.test(value), 'a property value has no separator');
    if (value !== '') text += `${name}\u0001${value}\u0002`;
  }
  return text;
}

const separators = new RegExp(`[${String.fromCharCode(nameEnd, itemEnd)}]`);

export function decodeProperties(properties: string | Uint8Array): Map<string, string> {
  const text = typeof properties === 'string' ? properties : utf8(properties);
  const map = new Map<string, string>();
  let at = 0;
  let middle = -1;
  while (at < text.length) {
    let end = text.indexOf('\u0002', at);
    if (end < 0) end = text.length;
    // Searched only when the last one was passed: hostile text must not cost the square of its length.
    if (middle < at) middle = text.indexOf('\u0001', at);
    if (middle < 0) break;
    if (middle > at && middle < end - 1) map.set(text.slice(at, middle), text.slice(middle + 1, end));
    at = end + 1;
  }
  return map;
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
