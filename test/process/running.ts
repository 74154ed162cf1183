/** A `liftmq` process under test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface Running {
  readonly child: ChildProcess;
  /** What it printed until its start was announced. */
  readonly announced: string;
  /** What it has printed by now. */
  output(): string;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

const startLimitMs = 20_000;

/** Resolves when the last role of the process was announced; rejects with the output when it ends before. */
export async function start(
  command: readonly [string, ...string[]],
  options: { cwd: string; env?: NodeJS.ProcessEnv; announcement: RegExp; limitMs?: number },
): Promise<Running> {
  const [file, ...args] = command;
  const child = spawn(file, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const { promise, resolve, reject } = Promise.withResolvers<Running>();
  const collect = (chunk: Buffer) => {
    output += chunk;
    if (options.announcement.test(output)) resolve({ child, announced: output, output: () => output });
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.on('exit', (code) => reject(new Error(`ended with ${code}:\n${output}`)));
  const limitMs = options.limitMs ?? startLimitMs;
  const late = setTimeout(() => reject(new Error(`not up after ${limitMs} ms:\n${output}`)), limitMs);
  return promise.finally(() => clearTimeout(late));
}

/** Sends the signal and waits for the end. */
export async function stop({ child }: Running, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = await ended;
  return code;
}

/** Runs a command that ends by itself. */
export async function run(
  command: readonly [string, ...string[]],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  const [file, ...args] = command;
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: startLimitMs });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, output };
}

/** Below the range from which systems choose ports for connections: nobody else takes one between our look and our use. */
const portLow = 15_000;
const portHigh = 32_000;

/** A port that nobody listens on at this moment; nor on the one two below, which a broker takes as well (VIP). */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(portLow, portHigh);
    if ((await isFree(port)) && (await isFree(port - 2))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return promise;
}
