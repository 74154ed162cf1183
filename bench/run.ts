/**
 * `npm run bench`: LiftMQ and Apache RocketMQ 5.5.0 under the same load, in turns, on this machine.
 * bench/README.md says how to read it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Cell, cells } from './cells.ts';
import { compilePrograms, type Load, runLoad } from './load.ts';
import { type Bench, type Figures, measure } from './measure.ts';
import { startChild } from './processes.ts';
import { describeProfiles } from './profile.ts';
import { type CellRuns, markdownOf, tableOf, warningsOf, withReport } from './report.ts';
import { apache, liftmq, type Side, type StartServer } from './servers.ts';

const usage = `npm run bench -- [options]
  --cells ID,ID   only these cells: ${cells.map((cell) => cell.id).join(', ')}
  --pairs N       alternating runs of each cell and side (default 3)
  --only SIDE     one side alone: apache or liftmq
  --scratch DIR   where stores are written and wiped (default: the system's directory for temporary files)
  --write         put the table into bench/README.md
  --profile ID    run one cell against LiftMQ under node --cpu-prof and print where the time went
  --ceiling       run the send loads against a server that does nothing: what the generator itself can do
  --help`;

const bench = dirname(fileURLToPath(import.meta.url));
const repository = dirname(bench);
const cache = join(repository, '.cache', 'bench');
const jars = join(bench, 'apache', 'target', 'lib');
const SCRATCH_BYTES_MIN = 6e9;
const INSIDE = 'LIFTMQ_BENCH_INSIDE_NAMESPACE';

/**
 * Runs this program again in a network namespace with nothing but loopback: Apache listens on all interfaces, both
 * sides get RocketMQ's own ports, and nobody else's traffic is in the way. Undefined where that is not possible.
 */
async function runInNamespace(args: readonly string[]): Promise<number | undefined> {
  for (const unshare of [['-n'], ['-r', '-n']]) {
    if (spawnSync('unshare', [...unshare, 'sh', '-c', 'ip link set lo up']).status !== 0) continue;
    const script = 'ip link set lo up && exec "$0" "$@"';
    const command = [...unshare, 'sh', '-c', script, process.execPath, fileURLToPath(import.meta.url), ...args];
    const child = spawn('unshare', command, { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  }
  return undefined;
}

/** Needs the network, so that it happens before the namespace is entered. */
function fetchApache(): void {
  if (existsSync(jars)) return;
  console.log('Fetching Apache RocketMQ from Maven Central …');
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
  const pom = join(bench, 'apache', 'pom.xml');
  const result = spawnSync('mvn', ['-q', '-B', '-ntp', '-f', pom, goal, `-DoutputDirectory=${jars}`], {
    stdio: 'inherit',
  });
  if (result.error || result.status !== 0) {
    rmSync(jars, { recursive: true, force: true });
    throw new Error(
      'The comparison needs Maven and Java 17 or later to fetch and run Apache RocketMQ; without: --only liftmq',
    );
  }
}

function firstLineOf(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  return `${result.stdout ?? ''}${result.stderr ?? ''}`.split('\n')[0]?.trim() || 'unknown';
}

function machineFacts(scratch: string): string[] {
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `stores on ${firstLineOf('stat', ['-f', '-c', '%T', scratch])}`,
    `Node ${process.version}; ${firstLineOf('java', ['-version'])}; ${firstLineOf('gcc', ['--version'])}`,
    `LiftMQ ${firstLineOf('git', ['-C', repository, 'describe', '--always', '--dirty'])}`,
  ];
}

function describe(figures: Figures): string {
  if (figures.kind === 'idle') {
    const { startMs, residentBytes, cpuShare } = figures;
    return `start ${startMs.toFixed(0)} ms, ${(residentBytes / 1e6).toFixed(0)} MB, CPU ${(cpuShare * 100).toFixed(1)} %`;
  }
  const { rate, cpuPerMillion, p50Micros, p99Micros, generatorShare } = figures;
  return (
    `${rate.toFixed(0)}/s, ${cpuPerMillion.toFixed(2)} CPU s per million, ` +
    `p50 ${(p50Micros / 1000).toFixed(2)} ms, p99 ${(p99Micros / 1000).toFixed(2)} ms, ` +
    `generator ${(generatorShare * 100).toFixed(0)} % of a core`
  );
}

async function compare(context: Bench, chosen: readonly Cell[], sides: readonly Side[], pairs: number) {
  const starters: Record<Side, StartServer> = { Apache: apache(jars), LiftMQ: liftmq(repository) };
  const results: CellRuns[] = [];
  for (const cell of chosen) {
    const runs: Record<Side, Figures[]> = { Apache: [], LiftMQ: [] };
    for (let pair = 0; pair < pairs; pair++) {
      for (const side of sides) {
        const figures = await measure(context, starters[side], cell);
        runs[side].push(figures);
        console.log(`${cell.id} ${side} ${pair + 1}/${pairs}: ${describe(figures)}`);
      }
    }
    results.push({ cell, runs });
  }
  return results;
}

async function profile(context: Bench, cell: Cell): Promise<void> {
  const directory = mkdtempSync(join(cache, 'profile-'));
  const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${directory}`, '--cpu-prof-interval=250'];
  console.log(
    `${cell.id} under the profiler: ${describe(await measure(context, liftmq(repository), cell, nodeOptions))}\n`,
  );
  console.log(describeProfiles(directory, 45));
  console.log(`The profiles are in ${directory}`);
}

async function showCeiling(load: string, answer: string, scratch: string): Promise<void> {
  const port = 10911;
  const server = startChild(answer, [String(port)], { cwd: scratch, outputPath: join(scratch, 'answer.out') });
  for (const cell of cells) {
    if (cell.kind !== 'load' || cell.load.mode !== 'send') continue;
    const bounded: Load = { ...cell.load, countMax: 2_000_000, secondsMax: 3 };
    const result = await runLoad(load, port, 'bench', bounded);
    const rate = (result.stored / result.seconds).toFixed(0);
    const share = (result.ownCpuShare * 100).toFixed(0);
    console.log(`${cell.title}: ${rate}/s at ${share} % of a core, p50 ${result.sendMicros.p50} µs`);
  }
  await server.stop();
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cells: { type: 'string' },
      pairs: { type: 'string', default: '3' },
      only: { type: 'string' },
      scratch: { type: 'string', default: tmpdir() },
      write: { type: 'boolean', default: false },
      profile: { type: 'string' },
      ceiling: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (process.platform !== 'linux') throw new Error('The benchmark reads /proc and uses epoll: it needs Linux.');
  const pairs = Number(values.pairs);
  if (!Number.isInteger(pairs) || pairs < 1) throw new Error(`--pairs ${values.pairs} is no count`);
  const find = (id: string): Cell => {
    const cell = cells.find((each) => each.id === id);
    if (!cell) throw new Error(`there is no cell ${id}\n${usage}`);
    return cell;
  };
  const chosen = values.cells === undefined ? cells : values.cells.split(',').map(find);
  const profiled = values.profile === undefined ? undefined : find(values.profile);
  const sides = (['Apache', 'LiftMQ'] as const).filter(
    (side) => values.only === undefined || side.toLowerCase() === values.only,
  );
  if (sides.length === 0) throw new Error(`--only is apache or liftmq, not ${values.only}`);

  const programs = compilePrograms(join(bench, 'load'), cache);
  if (sides.includes('Apache') && !profiled && !values.ceiling) fetchApache();
  if (process.env[INSIDE] === undefined) {
    const code = await runInNamespace(process.argv.slice(2));
    if (code !== undefined) return code;
    console.log('No network namespace can be made here: running on the host, whose RocketMQ ports must be free.');
  }
  const { bavail, bsize } = statfsSync(values.scratch);
  if (bavail * bsize < SCRATCH_BYTES_MIN) {
    throw new Error(`${values.scratch} has less than ${SCRATCH_BYTES_MIN / 1e9} GB free: choose another --scratch`);
  }
  const scratch = mkdtempSync(join(values.scratch, 'liftmq-bench-'));
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const context = { generator: programs.load, scratch };

  if (values.ceiling) await showCeiling(programs.load, programs.answer, scratch);
  else if (profiled) await profile(context, profiled);
  else {
    const results = await compare(context, chosen, sides, pairs);
    const warnings = warningsOf(results);
    const report = [
      markdownOf(tableOf(results)),
      [`Medians of ${pairs} runs each, in turns, ${new Date().toISOString().slice(0, 10)}.`, ...machineFacts(scratch)]
        .map((fact) => `- ${fact}`)
        .join('\n'),
      ...(warnings.length > 0 ? [warnings.map((warning) => `- Mind: ${warning}`).join('\n')] : []),
    ].join('\n\n');
    console.log(`\n${report}`);
    const page = join(bench, 'README.md');
    if (values.write) writeFileSync(page, withReport(readFileSync(page, 'utf8'), report));
  }
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
