// The two servers under test, behind one face: a name server and a broker that can be started, stopped and killed, with
// a store that survives that. The broker.conf is the same text for both.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../src/client/mod.ts';
import { createNodeEnv } from '../../src/io/node/mod.ts';
import { javaArguments, quickStart } from './toolchain.ts';

/** A Java broker needs 13 s to stop when the machine has nothing else to do. */
const startTimeoutMs = 120_000;
const stopTimeoutMs = 120_000;

export type Stop = 'SIGTERM' | 'SIGKILL';

export type Server = {
  name: 'apache' | 'liftmq';
  namesrv: string;
  broker: string;
  storeDir: string;
  /** Lines of broker.conf that count from the next start on. */
  configure(settings: Settings): void;
  /** Starts what is not running, and resolves when clients can be served. */
  start(): Promise<void>;
  /** Stops the broker; the name server stays where it is a process of its own. */
  stopBroker(signal: Stop): Promise<void>;
  close(): Promise<void>;
};

export type Settings = Readonly<Record<string, string | number | boolean>>;

export type ServerOptions = {
  /** For configuration and output. */
  dir: string;
  /** The store is `store` in it; `dir` when absent. */
  dataDir?: string;
  /** The broker takes this port, the one below by 2 and the one above; the name server takes the one above by 10. */
  port: number;
  /** Lines of broker.conf that differ from the suite's usual ones. */
  settings?: Settings;
};

/** Small files so that they roll, short delays so that retries come soon; everything else is Apache's default. */
function brokerConf(options: ServerOptions, storeDir: string, changes: Settings = {}): string {
  const settings = {
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: 0,
    brokerIP1: '127.0.0.1',
    namesrvAddr: `127.0.0.1:${options.port + 10}`,
    listenPort: options.port,
    haListenPort: options.port + 1,
    bindAddress: '127.0.0.1',
    storePathRootDir: storeDir,
    mappedFileSizeCommitLog: 64 * 1024 * 1024,
    mappedFileSizeConsumeQueue: 20 * 1000,
    maxHashSlotNum: 10_000,
    maxIndexNum: 40_000,
    // Apache answers "busy" after 200 ms in its queue, which a loaded machine exceeds.
    waitTimeMillsInSendQueue: 20_000,
    // A Java broker that has not found its name servers when it starts tells them of itself so much later.
    registerNameServerPeriod: 10_000,
    messageDelayLevel: `1s 2s 1s 1s 1s ${'2s '.repeat(13)}`.trim(),
    ...options.settings,
    ...changes,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

export function startApache(options: ServerOptions): Server {
  const storeDir = path.join(options.dataDir ?? options.dir, 'store');
  const home = path.join(options.dir, 'home');
  mkdirSync(home, { recursive: true });
  const namesrvConf = path.join(options.dir, 'namesrv.conf');
  const brokerConfFile = path.join(options.dir, 'broker.conf');
  writeFileSync(namesrvConf, `listenPort=${options.port + 10}\nbindAddress=127.0.0.1\n`);
  writeFileSync(brokerConfFile, brokerConf(options, storeDir));
  const namesrv = new Process(path.join(options.dir, 'namesrv.out'), 'java', (extra) =>
    javaArguments({
      mainClass: 'org.apache.rocketmq.namesrv.NamesrvStartup',
      arguments: ['-c', namesrvConf, ...extra],
      home,
      heapMiB: 1024,
      jvm: quickStart,
    }),
  );
  const broker = new Process(path.join(options.dir, 'broker.out'), 'java', (extra) =>
    javaArguments({
      mainClass: 'org.apache.rocketmq.broker.BrokerStartup',
      arguments: ['-c', brokerConfFile, ...extra],
      home,
      heapMiB: 1024,
      jvm: quickStart,
    }),
  );
  const environment = { ...process.env, ROCKETMQ_HOME: home };
  return {
    name: 'apache',
    namesrv: `127.0.0.1:${options.port + 10}`,
    broker: `127.0.0.1:${options.port}`,
    storeDir,
    configure: (settings) => writeFileSync(brokerConfFile, brokerConf(options, storeDir, settings)),
    async start() {
      await namesrv.start(environment, 'boot success');
      await broker.start(environment, 'boot success');
      await registered(`127.0.0.1:${options.port + 10}`, options.port);
    },
    stopBroker: (signal) => broker.stop(signal),
    async close() {
      await broker.stop('SIGTERM');
      // It has nothing to keep, and takes seconds to stop.
      await namesrv.stop('SIGKILL');
    },
  };
}

export function startLiftmq(options: ServerOptions): Server {
  const storeDir = path.join(options.dataDir ?? options.dir, 'store');
  mkdirSync(options.dir, { recursive: true });
  const conf = path.join(options.dir, 'broker.conf');
  writeFileSync(conf, brokerConf(options, storeDir));
  const root = path.join(import.meta.dirname, '..', '..');
  const both = new Process(path.join(options.dir, 'liftmq.out'), process.execPath, () => [
    path.join(root, 'bin', 'liftmq.ts'),
    'start',
    ...['-c', conf],
    ...['--data', options.dataDir ?? options.dir],
    ...['--set', `namesrv.listenPort=${options.port + 10}`],
    ...['--set', 'namesrv.bindAddress=127.0.0.1'],
    ...['--http-port', String(options.port + 11)],
  ]);
  return {
    name: 'liftmq',
    namesrv: `127.0.0.1:${options.port + 10}`,
    broker: `127.0.0.1:${options.port}`,
    storeDir,
    configure: (settings) => writeFileSync(conf, brokerConf(options, storeDir, settings)),
    async start() {
      await both.start(process.env);
      await ready(`http://127.0.0.1:${options.port + 11}/readyz`, () => both.running);
    },
    stopBroker: (signal) => both.stop(signal),
    close: () => both.stop('SIGTERM'),
  };
}

/** A child process that can be started again; its output goes to a file. */
class Process {
  readonly #outputFile: string;
  readonly #command: string;
  readonly #arguments: (extra: readonly string[]) => string[];
  #child: ChildProcess | undefined;

  constructor(outputFile: string, command: string, commandArguments: (extra: readonly string[]) => string[]) {
    this.#outputFile = outputFile;
    this.#command = command;
    this.#arguments = commandArguments;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  async start(environment: NodeJS.ProcessEnv, readyText?: string): Promise<void> {
    if (this.#child !== undefined) {
      return;
    }
    const child = spawn(this.#command, this.#arguments([]), {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const output = createWriteStream(this.#outputFile, { flags: 'a' });
    child.stderr.pipe(output, { end: false });
    const ready = new Promise<void>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output.write(chunk);
        if (readyText !== undefined && text.length < 1_000_000) {
          text += chunk;
          if (text.includes(readyText)) {
            resolve();
          }
        }
      });
      child.once('error', (cause) => {
        this.#child = undefined;
        reject(cause);
      });
      child.once('exit', (code, signal) => {
        if (this.#child === child) {
          this.#child = undefined;
          output.write(`\n${this.#command} was not told to end, and ended with ${code ?? signal}\n`);
          reject(new Error(`${this.#command} ended at start (${code ?? signal}); its output: ${this.#outputFile}`));
        }
      });
      if (readyText === undefined) {
        resolve();
      }
    });
    await withTimeout(ready, startTimeoutMs, `start of ${this.#outputFile}`);
  }

  async stop(signal: Stop): Promise<void> {
    const child = this.#child;
    if (child === undefined) {
      return;
    }
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill(signal);
    try {
      await withTimeout(ended, stopTimeoutMs, `stop of ${this.#outputFile}`);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }
}

async function ready(url: string, running: () => boolean): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const answer = await fetch(url).catch((cause: unknown) => ({ ok: false, cause }));
    if (answer.ok) {
      return;
    }
    if (!running() || Date.now() > deadline) {
      throw new Error(`${url} does not answer that it is ready`, { cause: answer });
    }
    await sleep(50);
  }
}

/** A Java broker that is up may be unknown to the name server. */
async function registered(namesrv: string, brokerPort: number): Promise<void> {
  const client = new Client(createNodeEnv({ log: { level: 'silent' } }), { nameServers: [namesrv], ip: '127.0.0.1' });
  try {
    const deadline = Date.now() + startTimeoutMs;
    for (;;) {
      const { body } = await client.call(namesrv, 'getBrokerClusterInfo', {});
      if (String(Buffer.from(body ?? [])).includes(`:${brokerPort}"`)) {
        return;
      }
      if (Date.now() > deadline) {
        throw new Error(`the broker on port ${brokerPort} is not registered with ${namesrv}`);
      }
      await sleep(100);
    }
  } finally {
    await client.close();
  }
}

async function withTimeout(wait: Promise<unknown>, timeoutMs: number, what: string): Promise<void> {
  const expired = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: expired.signal }).then(() => {
    throw new Error(`${what} took more than ${timeoutMs} ms`);
  });
  try {
    await Promise.race([wait, late]);
  } finally {
    expired.abort();
    late.catch(() => {});
  }
}
