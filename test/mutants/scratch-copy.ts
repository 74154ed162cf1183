/**
 * A copy of the sources to be broken in. It lies inside the repository, so that Node finds the repository's
 * `node_modules` by going up; nothing in it is a link, so that removing it can remove nothing else.
 */
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyHunks, type PatchedFile } from './patch.ts';

const parts = ['src', 'test', 'bin', 'package.json'];
const leftOut = ['test/compat', 'test/golden'];

export class ScratchCopy {
  readonly path: string;
  /** Of files that are patched now. */
  readonly #originals = new Map<string, string>();

  constructor(root: string) {
    const cache = join(root, '.cache');
    mkdirSync(cache, { recursive: true });
    this.path = mkdtempSync(join(cache, 'mutants-'));
    const excluded = leftOut.map((part) => join(root, part));
    for (const part of parts) {
      cpSync(join(root, part), join(this.path, part), {
        recursive: true,
        filter: (source) => {
          const stat = lstatSync(source);
          return (stat.isFile() || stat.isDirectory()) && !excluded.includes(source);
        },
      });
    }
  }

  apply(files: readonly PatchedFile[]): void {
    for (const file of files) {
      const path = join(this.path, file.path);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, applyHunks(text, file));
      this.#originals.set(path, text);
    }
  }

  /** Takes back what was applied. */
  restore(): void {
    for (const [path, text] of this.#originals) writeFileSync(path, text);
    this.#originals.clear();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
