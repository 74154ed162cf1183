// A directory for one test: gone when the test passes; kept, and its outputs shown, when it fails.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Of each output, what is shown. */
const shownLines = 15;
const shownColumns = 400;

/** `report` is told where to look when `body` throws, or gives false because a part of it failed. */
export async function inWorkspace<T>(
  name: string,
  report: (line: string) => void,
  body: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(path.join(os.tmpdir(), `liftmq-${name}-`));
  let passed = false;
  try {
    const result = await body(dir);
    passed = result !== false;
    return result;
  } finally {
    if (passed) {
      rmSync(dir, { recursive: true, force: true });
    } else {
      report(`store, configuration and outputs are kept in ${dir}`);
      for (const file of outputsIn(dir)) {
        const lines = readFileSync(file, 'utf8').split('\n').filter(isTelling).slice(-shownLines);
        report(`the end of ${file}:`);
        for (const line of lines) {
          report(`  ${line.slice(0, shownColumns)}`);
        }
      }
    }
  }
}

/** Java brokers begin with hundreds of lines on how their logging is set up. */
function isTelling(line: string): boolean {
  return line.trim() !== '' && !/\|-(INFO|WARN) in/.test(line);
}

function outputsIn(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== 'store') {
      return outputsIn(file);
    }
    return entry.name.endsWith('.out') ? [file] : [];
  });
}
