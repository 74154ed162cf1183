/** Java's `String.hashCode`: s[0]*31^(n-1) + … + s[n-1] over UTF-16 units, as a signed 32-bit integer. */
export function javaHash(text: string): number {
  return javaHashOn(0, text);
}

/** The hash of a longer text, of whose beginning `hash` is the hash and whose rest is `text`. */
export function javaHashOn(hash: number, text: string): number {
  let next = hash;
  for (let i = 0; i < text.length; i++) next = (Math.imul(next, 31) + text.charCodeAt(i)) | 0;
  return next;
}

/** The same with the rest as UTF-8 in `bytes[from, to)`: without making a string of it when it is ASCII. */
export function javaHashOnUtf8(hash: number, bytes: Buffer, from: number, to: number): number {
  let next = hash;
  let at = from;
  // Four at a time: one multiplication waits for the one before, and there are fewer of those that wait.
  for (const end = to - 3; at < end; at += 4) {
    const first = bytes[at];
    const second = bytes[at + 1];
    const third = bytes[at + 2];
    const fourth = bytes[at + 3];
    if ((first | second | third | fourth) > 0x7f) return javaHashOn(hash, bytes.toString('utf8', from, to));
    next = (Math.imul(next, 923_521) + Math.imul(first, 29_791) + second * 961 + third * 31 + fourth) | 0;
  }
  for (; at < to; at++) {
    const byte = bytes[at];
    if (byte > 0x7f) return javaHashOn(hash, bytes.toString('utf8', from, to));
    next = (Math.imul(next, 31) + byte) | 0;
  }
  return next;
}
