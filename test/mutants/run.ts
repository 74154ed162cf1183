/**
 * `npm run mutants [-- --only 2,18]`: brings Apache's defects back one by one, in a copy of the sources, and sees
 * whether simulation and tests notice, and that the sources as they are pass the same. Writes docs/mutants.md.
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
  type Results,
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
    unpatched: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const usage = `Brings defects back, and sees whether simulation and tests notice.

  --only NN,NN  these defects; default all that have a mutant
  --seeds N     at most so many seeds of the simulation each; default what the table says
  --unpatched   no mutant: only whether the sources as they are pass the seeds that caught one
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

/** What the sources fail as they are. */
const unpatchedFailures: string[] = [];

/** The first seed that shows the mutant. One that fails without it proves nothing, and is reported. */
async function seek(patched: ScratchCopy, clean: ScratchCopy, simulation: Simulation): Promise<Finding> {
  const { count, ...search } = searchOf(simulation);
  for (let first = 1; first <= count; ) {
    const { failure, seeds } = await searchSeeds(patched.path, { ...search, first, count: count - first + 1 });
    if (failure === undefined) break;
    const seed = first + seeds - 1;
    const without = await searchSeeds(clean.path, { ...search, first: seed, count: 1 });
    if (without.failure === undefined) return { failure, seeds: seed };
    unpatchedFailures.push(`simulation of ${search.faults?.join(', ') ?? 'any faults'}: ${without.failure}`);
    first = seed + 1;
  }
  return { failure: undefined, seeds: count };
}

/** One mutant under everything that shall catch it. */
async function tryMutant(patched: ScratchCopy, clean: ScratchCopy, { number, shown }: Defect): Promise<Result> {
  if (!('patch' in shown)) throw new Error(`defect ${number} has no mutant`);
  patched.apply(parsePatch(patchText(shown.patch)));
  const findings: Record<string, Finding> = {};
  try {
    if (shown.simulation !== undefined) findings.simulation = await seek(patched, clean, shown.simulation);
    for (const test of shown.tests ?? []) findings[test] = await runTest(patched.path, test);
  } finally {
    patched.restore();
  }
  return { fingerprint: fingerprintOf(shown.patch), findings };
}

/** The sources as they are under the same tests. */
async function tryUnpatched(clean: ScratchCopy, tried: readonly Defect[]): Promise<void> {
  const tests = new Set(tried.flatMap(({ shown }) => ('patch' in shown ? (shown.tests ?? []) : [])));
  for (const test of tests) {
    const { failure } = await runTest(clean.path, test);
    if (failure !== undefined) unpatchedFailures.push(`${test}: ${failure}`);
  }
}

/** The seeds that caught mutants, on the sources as they are. */
async function passRecordedSeeds(): Promise<number> {
  const results = readResults();
  let failed = 0;
  for (const { number, shown } of chosen()) {
    const seed = results[number]?.findings.simulation?.seeds;
    if (!('patch' in shown) || shown.simulation === undefined || seed === undefined) continue;
    const { failure } = await searchSeeds(root, { ...searchOf(shown.simulation), first: seed, count: 1 });
    console.log(`${shown.patch}, seed ${seed}: ${failure ?? 'passes without it'}`);
    if (failure !== undefined) failed += 1;
  }
  return failed > 0 ? 1 : 0;
}

function write(results: Results): void {
  writeFileSync(resultsPath, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(join(root, documentPath), defectsDocument(results));
}

async function main(): Promise<number> {
  const tried = chosen();
  const patched = new ScratchCopy(root);
  const clean = new ScratchCopy(root);
  const remove = () => {
    patched.remove();
    clean.remove();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopAll();
      remove();
      process.exit(1);
    });
  }
  const results = readResults();
  let survived = 0;
  try {
    for (const defect of tried) {
      const result = await tryMutant(patched, clean, defect);
      results[defect.number] = result;
      write(results);
      survived += Object.values(result.findings).filter(({ failure }) => failure === undefined).length;
      console.log(resultLine(defect, result));
    }
    await tryUnpatched(clean, tried);
  } finally {
    remove();
  }
  console.log(`${tried.length} mutants, ${survived} times one survived; docs/mutants.md is written`);
  for (const failure of unpatchedFailures) console.error(`without any mutant fails ${failure}`);
  return survived + unpatchedFailures.length > 0 ? 1 : 0;
}

if (values.help) {
  console.log(usage);
} else {
  try {
    process.exitCode = values.unpatched ? await passRecordedSeeds() : await main();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
