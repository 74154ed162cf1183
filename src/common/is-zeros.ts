const zeros = Buffer.alloc(64 << 10);

/** Whether there is nothing but zeros; memory is compared, not looked at byte for byte. */
export function isZeros(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const length = Math.min(zeros.length, bytes.length - at);
    if (zeros.compare(bytes, at, at + length, 0, length) !== 0) return false;
  }
  return true;
}

/** The place of the last byte that is not zero, -1 when there is none. */
export function lastNonZero(bytes: Uint8Array): number {
  for (let end = bytes.length; end > 0; ) {
    const from = Math.max(0, end - zeros.length);
    const part = bytes.subarray(from, end);
    if (!isZeros(part)) return from + part.findLastIndex((byte) => byte !== 0);
    end = from;
  }
  return -1;
}
