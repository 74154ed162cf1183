import { javaHash } from '../common/mod.ts';

/** What a consume queue entry holds for the TAGS property: its Java hash, 0 without tags. */
export function tagsCodeOf(tags: string | undefined): number {
  return tags === undefined ? 0 : javaHash(tags);
}
