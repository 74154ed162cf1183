/** Escapes in JSON strings, on bytes. */

/** 0 for a byte that means itself inside a JSON string, 1 for the rest: control characters, `"`, `\`, above ASCII. */
export const special = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  if (byte < 0x20 || byte === 0x22 || byte === 0x5c || byte >= 0x80) special[byte] = 1;
}

/** The character of a short escape by the letter behind the backslash; 0 for none. */
const short = new Uint8Array(256);
for (const pair of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  short[pair.charCodeAt(0)] = pair.charCodeAt(1);
}

/** −1 for what is no hexadecimal digit. */
const hexValue = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  hexValue[value.toString(16).charCodeAt(0)] = value;
  hexValue[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

export function shortEscape(letter: number): number {
  return short[letter];
}

/** The value of the four hexadecimal digits at `at`; negative when they are none. */
export function hexAt(bytes: Buffer, at: number): number {
  return (
    (hexValue[bytes[at]] << 12) |
    (hexValue[bytes[at + 1]] << 8) |
    (hexValue[bytes[at + 2]] << 4) |
    hexValue[bytes[at + 3]]
  );
}

/** Bytes of the escape at `at`, a surrogate pair's both halves; 0 for what is malformed, or a lone surrogate. */
export function escapeSize(bytes: Buffer, at: number, end: number): number {
  const letter = at + 1 < end ? bytes[at + 1] : 0;
  if (letter !== 0x75) return short[letter] === 0 ? 0 : 2;
  if (at + 6 > end) return 0;
  const code = hexAt(bytes, at + 2);
  if (code < 0) return 0;
  if (code < 0xd800 || code > 0xdfff) return 6;
  if (code >= 0xdc00 || at + 12 > end) return 0;
  if (bytes[at + 6] !== 0x5c || bytes[at + 7] !== 0x75) return 0;
  const low = hexAt(bytes, at + 8);
  return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/** Writes a code point in UTF-8 and gives the end. */
export function putUtf8(target: Buffer, at: number, code: number): number {
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  if (code < 0x800) {
    target[at] = 0xc0 | (code >> 6);
    target[at + 1] = 0x80 | (code & 0x3f);
    return at + 2;
  }
  if (code < 0x10000) {
    target[at] = 0xe0 | (code >> 12);
    target[at + 1] = 0x80 | ((code >> 6) & 0x3f);
    target[at + 2] = 0x80 | (code & 0x3f);
    return at + 3;
  }
  target[at] = 0xf0 | (code >> 18);
  target[at + 1] = 0x80 | ((code >> 12) & 0x3f);
  target[at + 2] = 0x80 | ((code >> 6) & 0x3f);
  target[at + 3] = 0x80 | (code & 0x3f);
  return at + 4;
}
