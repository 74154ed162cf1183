/** Level n is item n−1 of the parsed table (`messageDelayLevel`); a level above the last means the last. */
export const delayLevelsDefault = '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h';

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds by level. Undefined when the text is no such table. */
export function parseDelayLevels(text: string): number[] | undefined {
  const levels: number[] = [];
  for (const item of text.trim().split(/\s+/)) {
    const parts = /^(\d{1,9})([smhd])$/.exec(item);
    if (parts === null) return undefined;
    levels.push(Number(parts[1]) * unitMs[parts[2]]);
  }
  return levels;
}
