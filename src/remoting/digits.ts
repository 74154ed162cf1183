/** Decimal digits of safe integers, written in place. */
const powers = Array.from({ length: 17 }, (_, exponent) => 10 ** exponent);

/** How many digits a safe integer from 0 on has. */
export function digitCount(value: number): number {
  let count = 1;
  while (value >= powers[count]) count++;
  return count;
}

/** Writes `value`, which has `count` digits. */
export function writeDigits(block: Buffer, at: number, value: number, count: number): void {
  let place = at + count - 1;
  let large = value;
  for (; large > 0x7fff_ffff; place--) {
    const tenth = Math.floor(large / 10);
    // In this order: what is added to the largest numbers is rounded.
    block[place] = large - tenth * 10 + 0x30;
    large = tenth;
  }
  // Only divisions of small integers are cheap.
  let rest = large | 0;
  for (; place >= at; place--) {
    const tenth = (rest / 10) | 0;
    block[place] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
}
