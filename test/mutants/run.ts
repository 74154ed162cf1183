/**
 * `npm run mutants [-- --only 2,18]`: brings Apache's defects back one by one, in a copy of the sources, and sees
 * whether simulation and tests notice; then that the sources as they are pass the same. Writes docs/mutants.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Finding, runTest, searchSeeds, stopAll } from './catching.ts';
import { type Defect, defects, type Simulation } from './defects.ts';
import { parsePatch } from './patch.ts';
import {
  defectsDocument,
  documentPath,
  fingerprintOf,
  isMutant,
  patchText,
  type Result,
  readResults,
  resultLine,
  resultsPath,
  root,
} from './results.ts';
import { ScratchCopy } from './scratch-copy.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const usage = `Brings defects back, and sees whether simulation and tests notice.

  --only NN,NN  these defects; default all that have a mutant
  --seeds N     at most so many seeds of the simulation each; default what the table says
`;

const secondsByDefault = 15;
const seedsByDefault = 200;

function searchOf({ faults, seconds = secondsByDefault, seedsMax = seedsByDefault }: Simulation) {
  const count = values.seeds === undefined ? seedsMax : Number(values.seeds);
  return { first: 1, count, faultsMs: seconds * 1000, ...(faults === undefined ? {} : { faults }) };
}

function chosen(): Defect[] {
  const numbers = values.only?.split(',').map(Number);
  const unknown = numbers?.filter((number) => !defects.some((defect) => defect.number === number && isMutant(defect)));
  if (unknown !== undefined && unknown.length > 0) throw new RangeError(`--only: no mutant has the number ${unknown}`);
  return defects.filter((defect) => isMutant(defect) && (numbers?.includes(defect.number) ?? true));
}

/** One mutant under everything that shall catch it. */
async function tryMutant(copy: ScratchCopy, defect: Defect): Promise<Result> {
  const { shown } = defect;
  if (!('patch' in shown)) throw new Error(`defect ${defect.number} has no mutant`);
  copy.apply(parsePatch(patchText(shown.patch)));
  const findings: Record<string, Finding> = {};
  try {
    if (shown.simulation !== undefined) {
      findings.simulation = await searchSeeds(copy.path, searchOf(shown.simulation));
    }
    for (const test of shown.tests ?? []) findings[test] = await runTest(copy.path, test);
  } finally {
    copy.restore();
  }
  return { fingerprint: fingerprintOf(shown.patch), findings };
}

/** The unpatched sources under the same tests and seeds; gives what fails. */
async function tryUnpatched(copy: ScratchCopy, tried: readonly [Defect, Result][]): Promise<string[]> {
  const failures: string[] = [];
  const tests = new Set<string>();
  const searches = new Map<string, { search: ReturnType<typeof searchOf>; seeds: number }>();
  for (const [{ shown }, { findings }] of tried) {
    if (!('patch' in shown)) continue;
    for (const test of shown.tests ?? []) tests.add(test);
    if (shown.simulation === undefined) continue;
    const search = searchOf(shown.simulation);
    const key = JSON.stringify([search.faults, search.faultsMs]);
    const seeds = Math.max(searches.get(key)?.seeds ?? 0, findings.simulation?.seeds ?? 0);
    searches.set(key, { search, seeds });
  }
  for (const test of tests) {
    const { failure } = await runTest(copy.path, test);
    console.log(`unpatched ${test}: ${failure ?? 'passes'}`);
    if (failure !== undefined) failures.push(`${test}: ${failure}`);
  }
  for (const { search, seeds } of searches.values()) {
    const { failure } = await searchSeeds(copy.path, { ...search, count: seeds });
    const name = `simulation of ${search.faults?.join(', ') || (search.faults ? 'no faults' : 'any faults')}`;
    console.log(`unpatched ${name}, ${seeds} seeds: ${failure ?? 'passes'}`);
    if (failure !== undefined) failures.push(`${name}: ${failure}`);
  }
  return failures;
}

async function main(): Promise<number> {
  const copy = new ScratchCopy(root);
  const results = readResults();
  const tried: [Defect, Result][] = [];
  let survived = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopAll();
      copy.remove();
      process.exit(1);
    });
  }
  try {
    for (const defect of chosen()) {
      const result = await tryMutant(copy, defect);
      tried.push([defect, result]);
      results[defect.number] = result;
      survived += Object.values(result.findings).filter(({ failure }) => failure === undefined).length;
      console.log(resultLine(defect, result));
    }
    const failures = await tryUnpatched(copy, tried);
    if (failures.length > 0) {
      console.error(`The sources as they are fail, so that nothing is proved:\n${failures.join('\n')}`);
      return 1;
    }
    writeFileSync(resultsPath, `${JSON.stringify(results, undefined, 2)}\n`);
    writeFileSync(join(root, documentPath), defectsDocument(results));
    return survived > 0 ? 1 : 0;
  } finally {
    copy.remove();
  }
}

if (values.help) {
  console.log(usage);
} else {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
