// The official benchmark classes against LiftMQ: Producer sends so many messages, Consumer consumes them all.
// `npm run compat:million` runs it with a million.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, committedOffset, PullConsumer } from '../../src/client/mod.ts';
import { createNodeEnv } from '../../src/io/node/mod.ts';
import { type Server, startLiftmq } from './server.ts';
import { javaArguments } from './toolchain.ts';
import { inWorkspace } from './workspace.ts';

const topic = 'BenchmarkTest';
const group = 'benchmark_consumer';
const consumeStallMs = 60_000;

export type BenchmarkResult = {
  sent: number;
  sendFailures: number;
  stored: number;
  consumed: number;
  consumeFailures: number;
  sendSeconds: number;
  consumeSeconds: number;
};

type BenchmarkOptions = { messages: number; bodyBytes: number; port: number; report: (line: string) => void };

export function runBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  return inWorkspace('benchmark', options.report, (dir) => runIn(dir, options));
}

async function runIn(dir: string, options: BenchmarkOptions): Promise<BenchmarkResult> {
  const server = startLiftmq({ dir, port: options.port, settings: { mappedFileSizeCommitLog: 1024 ** 3 } });
  await server.start();
  try {
    const started = performance.now();
    const producer = new Program(server, dir, 'Producer', [
      ...['-q', String(options.messages)],
      ...['-s', String(options.bodyBytes)],
      ...['-w', '32'],
    ]);
    await producer.ended;
    const total = /\[Complete\] Send Total: (\d+) .*Send Failed: (\d+) .*Response Failed: (\d+)/.exec(producer.output);
    if (total === null) {
      throw new Error(`the benchmark producer did not complete: ${producer.output.slice(-2000)}`);
    }
    const produced = performance.now();
    options.report(`produced: ${total[0]}`);

    const consumer = new Program(server, dir, 'Consumer', []);
    const { stored, consumed } = await consumption(server, options.report);
    const consumedAt = performance.now();
    consumer.child.kill('SIGTERM');
    await consumer.ended;
    return {
      sent: Number(total[1]),
      sendFailures: Number(total[2]) + Number(total[3]),
      stored,
      consumed,
      consumeFailures: [...consumer.output.matchAll(/Consume Fail: (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0),
      sendSeconds: (produced - started) / 1000,
      consumeSeconds: (consumedAt - produced) / 1000,
    };
  } finally {
    await server.close();
  }
}

/** Waits until the group has committed all that the topic holds, or commits nothing more for a minute. */
async function consumption(
  server: Server,
  report: (line: string) => void,
): Promise<{ stored: number; consumed: number }> {
  const env = createNodeEnv({ log: { level: 'silent' } });
  const client = new Client(env, { nameServers: [server.namesrv], ip: '127.0.0.1' });
  try {
    const reader = new PullConsumer(client, { group: 'BenchmarkReaders', subscriptions: { [topic]: '*' } });
    const queues = await reader.queues(topic);
    let before = -1;
    let changedAt = performance.now();
    for (;;) {
      let stored = 0;
      let consumed = 0;
      for (const queue of queues) {
        const { maxOffset } = await reader.pull(queue, 0, { maxMessages: 1 });
        stored += maxOffset;
        consumed += maxOffset === 0 ? 0 : ((await committedOffset(client, group, queue)) ?? 0);
      }
      if (consumed !== before) {
        report(`committed: ${consumed} of ${stored}`);
        before = consumed;
        changedAt = performance.now();
      }
      if (consumed >= stored || performance.now() - changedAt > consumeStallMs) {
        return { stored, consumed };
      }
      await sleep(1000);
    }
  } finally {
    await client.close();
  }
}

/** One of the benchmark classes; its reports are kept. */
class Program {
  readonly child: ChildProcess;
  /** When it has ended, and all that it wrote is read. */
  readonly ended: Promise<unknown>;
  output = '';

  constructor(server: Server, dir: string, name: 'Producer' | 'Consumer', extra: readonly string[]) {
    const home = path.join(dir, name);
    mkdirSync(home, { recursive: true });
    const child = spawn(
      'java',
      javaArguments({
        mainClass: `org.apache.rocketmq.example.benchmark.${name}`,
        arguments: ['-n', server.namesrv, '-t', topic, ...extra],
        home,
        heapMiB: 1024,
      }),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const file = createWriteStream(path.join(home, 'program.out'));
    child.stdout.on('data', (chunk: Buffer) => {
      this.output += chunk;
      file.write(chunk);
    });
    child.stderr.pipe(file, { end: false });
    this.ended = once(child, 'close');
    this.child = child;
  }
}
