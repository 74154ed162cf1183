/** What the last runs of the mutants found (`results.json`), and docs/mutants.md, which is made of it. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import type { Finding } from './catching.ts';
import { type Defect, defects } from './defects.ts';
import { changedLines } from './patch.ts';

const here = dirname(fileURLToPath(import.meta.url));
export const root = dirname(dirname(here));
export const resultsPath = join(here, 'results.json');
export const documentPath = 'docs/mutants.md';

export interface Result {
  /** Of the patch that was tried. */
  fingerprint: number;
  /** By test file; the simulation under its own name. */
  findings: Record<string, Finding>;
}

export type Results = Record<string, Result>;

export function readResults(): Results {
  return existsSync(resultsPath) ? (JSON.parse(readFileSync(resultsPath, 'utf8')) as Results) : {};
}

export function isMutant({ shown }: Defect): boolean {
  return 'patch' in shown;
}

export function patchText(name: string): string {
  return readFileSync(join(here, `${name}.patch`), 'utf8');
}

/** The same as long as the patch changes the same lines. */
export function fingerprintOf(name: string): number {
  return crc32(changedLines(patchText(name)));
}

export function resultLine({ number, shown }: Defect, result: Result): string {
  const name = 'patch' in shown ? shown.patch : String(number);
  const parts = Object.entries(result.findings).map(([catcher, { failure, seeds }]) => {
    const inSeeds = seeds > 0 ? ` (${seeds} seeds)` : '';
    return `  ${failure === undefined ? 'SURVIVED' : 'caught'} ${catcher}${inSeeds}: ${failure?.slice(0, 160) ?? ''}`;
  });
  return [name, ...parts].join('\n');
}

export function defectsDocument(results: Results): string {
  const mutants = defects.filter(isMutant);
  const caught = mutants.filter(({ number }) => isCaught(results[number]));
  return `<!-- Written by \`npm run mutants\` from test/mutants. Do not edit. -->

# Defects of Apache RocketMQ, brought back

${defects.length} defects that Apache's issues tell of. ${mutants.length} of them could be ours as well: a mutant brings each back
(\`test/mutants/NN-name.patch\`), and simulation or tests must notice; ${caught.length} are caught. The others wait for what they need.

| | Issues | Defect | Caught by |
|---:|---|---|---|
${defects.map((defect) => row(defect, results[defect.number])).join('\n')}
`;
}

function isCaught(result: Result | undefined): boolean {
  const findings = Object.values(result?.findings ?? {});
  return findings.length > 0 && findings.every(({ failure }) => failure !== undefined);
}

function row({ number, issues, sentence, shown }: Defect, result: Result | undefined): string {
  const by = 'later' in shown ? `*${shown.later}*` : catchers(result);
  return `| ${number} | ${linked(issues)} | ${sentence} | ${by} |`;
}

/** `#12` or `owner/repository#12`. */
function linked(issues: string): string {
  return issues.replace(/([\w/]*)#(\d+)/g, (text, repository: string, issue) => {
    return `[${text}](https://github.com/${repository || 'apache/rocketmq'}/issues/${issue})`;
  });
}

function catchers(result: Result | undefined): string {
  const parts = Object.entries(result?.findings ?? {}).map(([catcher, { failure, seeds }]) => {
    const name = catcher === 'simulation' ? `simulation, seed ${seeds}` : `\`${catcher}\``;
    return failure === undefined ? `**survives ${name}**` : name;
  });
  return parts.length === 0 ? '**not tried**' : parts.join('; ');
}
