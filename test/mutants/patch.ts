/**
 * Mutants as unified diffs, applied by content alone: line numbers do not count, so that a patch lives through unrelated
 * edits. What a hunk takes away must stand in the file exactly once.
 *
 *     What it brings back, in a sentence or two.
 *     --- a/src/store/commit-log.ts
 *     +++ b/src/store/commit-log.ts
 *     @@
 *      a line before
 *     -the line that is right
 *     +the line that is wrong
 *      a line behind
 */
export interface PatchedFile {
  /** From the repository's root. */
  path: string;
  hunks: readonly { before: string; after: string }[];
}

/** Throws for what is no patch. */
export function parsePatch(text: string): PatchedFile[] {
  const files: { path: string; hunks: { before: string; after: string }[] }[] = [];
  let hunk: { before: string; after: string } | undefined;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const target = /^\+\+\+ b\/(\S+)$/.exec(line);
    if (line.startsWith('--- ')) hunk = undefined;
    else if (target !== null && hunk === undefined) files.push({ path: target[1] ?? '', hunks: [] });
    else if (line.startsWith('@@')) {
      hunk = { before: '', after: '' };
      const file = files.at(-1);
      if (file === undefined) throw new Error('a hunk before the first file');
      file.hunks.push(hunk);
    } else if (hunk !== undefined) {
      const rest = `${line.slice(1)}\n`;
      if (line[0] !== '+') hunk.before += rest;
      if (line[0] !== '-') hunk.after += rest;
      if (line !== '' && !' +-'.includes(line[0] ?? '')) throw new Error(`a line of no kind: ${line}`);
    }
  }
  if (files.length === 0 || files.some(({ hunks }) => hunks.length === 0)) throw new Error('no hunks');
  return files;
}

/** The file's text with the hunks applied; throws when one of them does not fit. */
export function applyHunks(text: string, { path, hunks }: PatchedFile): string {
  const lines = `\n${text}`;
  let result = '';
  let done = 0;
  for (const { before, after } of hunks) {
    const at = lines.indexOf(`\n${before}`) + 1;
    if (at === 0) throw new Error(`${path} has no such lines any more:\n${before}`);
    if (lines.includes(`\n${before}`, at)) throw new Error(`${path} has these lines more than once:\n${before}`);
    if (at < done) throw new Error(`${path}: hunks are in the order of their lines, and do not overlap`);
    result += lines.slice(done, at) + after;
    done = at + before.length;
  }
  return (result + lines.slice(done)).slice(1);
}

/** What a patch changes, without its surroundings. */
export function changedLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^[-+]/.test(line) && !/^(?:---|\+\+\+) /.test(line))
    .join('\n');
}
