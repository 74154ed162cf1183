/**
 * `describe`, `test` and `before` without the test runner, one after the other: for loops of a hundred thousand starts,
 * which the runner's watch over every promise makes three times as slow.
 */
type Body = () => void | Promise<void>;

const steps: { name: string; body: Body; isTest: boolean }[] = [];
let path: string[] = [];
let isRunning = false;

export function describe(name: string, body: () => void): void {
  path.push(name);
  body();
  path = path.slice(0, -1);
}

export function before(body: Body): void {
  add('before', body, false);
}

export function test(name: string, body: Body): void {
  add([...path, name].join(' › '), body, true);
}

function add(name: string, body: Body, isTest: boolean): void {
  steps.push({ name, body, isTest });
  if (isRunning) return;
  isRunning = true;
  void Promise.resolve().then(run);
}

/** Ends the process with 1 when one fails. `--only TEXT` runs those whose name has the text. */
async function run(): Promise<void> {
  const only = process.argv[process.argv.indexOf('--only') + 1];
  for (const { name, body, isTest } of steps) {
    if (isTest && process.argv.includes('--only') && !name.includes(only ?? '')) continue;
    const beganMs = performance.now();
    try {
      await body();
      if (isTest) console.log(`ok    ${name} (${((performance.now() - beganMs) / 1000).toFixed(1)} s)`);
    } catch (error) {
      console.log(`FAILS ${name}`);
      console.error(error);
      process.exitCode = 1;
    }
  }
}
