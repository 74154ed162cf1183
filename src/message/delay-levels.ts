const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds by level, of a table such as `1s 5s 10s 1m 2h` (`messageDelayLevel`). Level n is item n−1; a level above
 * the last means the last. Undefined when the text is no such table.
 */
export function parseDelayLevels(text: string): number[] | undefined {
  const levels: number[] = [];
  for (const item of text.trim().split(/\s+/)) {
    const parts = /^(\d{1,9})([smhd])$/.exec(item);
    if (parts === null) return undefined;
    levels.push(Number(parts[1]) * unitMs[parts[2]]);
  }
  return levels;
}
