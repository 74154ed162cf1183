// Runs our Java programs against a server, and gives back what they saw. A scenario may ask for the broker to be
// restarted or killed under its clients; that is done here.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Server } from './server.ts';
import { javaArguments, quickStart } from './toolchain.ts';

export type Facts = { [name: string]: unknown };
export type Outcome = { scenario: string; facts: Facts; failures: string[]; tookMs: number };

export type ScenarioGroup = {
  name: string;
  scenarios: readonly string[];
  /** Scenarios that run at a time; those that stop the broker run alone. */
  threads: number;
  jvm?: readonly string[];
};

const core = [
  'rebalance-member-dies',
  'orderly-handover',
  'retry-and-dead-letter',
  'push-orderly',
  'push-orderly-suspend',
  'send-sync',
  'send-async',
  'send-oneway',
  'send-batch',
  'send-selected-queue',
  'send-raw',
  'message-fields',
  'large-messages',
  'compression',
  'topic-auto-creation',
  'vip-channel',
  'push-concurrent',
  'broadcast',
  'tag-filter',
  'consume-from-where',
  'resume-at-committed-offset',
  'rebalance-join-and-leave',
  'heartbeat-v2',
  'pull-answers',
  'pull-limits',
  'pull-tags',
  'pull-commits-offset',
  'long-polling',
  'lite-pull-subscribe',
  'lite-pull-assign',
  'consumer-offsets',
  'queue-offsets',
  'offsets-by-time',
  'reset-by-time',
  'queue-locks',
  'consumer-list',
  'send-back',
  'delay-level',
  'refused-sends',
  'refused-topics',
  'refused-requests',
  'refused-by-permission',
  'query-messages',
  'cluster-info',
  'topic-status',
  'group-status',
] as const;

const json: ScenarioGroup = { name: 'json', scenarios: ['header-encodings'], threads: 1 };
const binary: ScenarioGroup = {
  name: 'binary',
  scenarios: ['header-encodings'],
  threads: 1,
  jvm: ['-Drocketmq.serialize.type=ROCKETMQ'],
};
const mqadmin: ScenarioGroup = {
  name: 'mqadmin',
  scenarios: ['mqadmin-topics', 'mqadmin-messages', 'mqadmin-groups', 'mqadmin-cluster'],
  threads: 1,
};
const restarts: ScenarioGroup = {
  name: 'restarts',
  scenarios: ['restart-keeps-state', 'restart-under-load', 'kill-under-load'],
  threads: 1,
};

export const scenarioGroups: readonly ScenarioGroup[] = [
  { name: 'core', scenarios: core, threads: 12 },
  json,
  binary,
  mqadmin,
  restarts,
];

/** Runs a group's scenarios in one Java process; `only` narrows them down by name. */
export async function runScenarios(
  server: Server,
  group: ScenarioGroup,
  options: { dir: string; only?: ReadonlySet<string> },
): Promise<Outcome[]> {
  const names = group.scenarios.filter((name) => options.only?.has(name) ?? true);
  if (names.length === 0) {
    return [];
  }
  const home = path.join(options.dir, `client-${group.name}`);
  mkdirSync(home, { recursive: true });
  const child = spawn(
    'java',
    javaArguments({
      mainClass: 'liftmq.compat.Main',
      arguments: [server.namesrv, server.broker, String(group.threads), ...names],
      home,
      heapMiB: 768,
      jvm: [...quickStart, ...(group.jvm ?? [])],
    }),
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const outcomes: Outcome[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('{')) {
        continue;
      }
      const message: unknown = JSON.parse(line);
      if (isOutcome(message)) {
        outcomes.push(message);
      } else if (isControl(message)) {
        await server.stopBroker(message.control === 'kill' ? 'SIGKILL' : 'SIGTERM');
        await server.start();
        child.stdin.write('done\n');
      }
    }
  } finally {
    child.kill('SIGKILL');
  }
  const missing = names.filter((name) => !outcomes.some((outcome) => outcome.scenario === name));
  if (missing.length > 0) {
    throw new Error(`the Java process ended without a word on ${missing.join(', ')}`);
  }
  return outcomes;
}

/** One Java process that runs scenarios as it is told: an official client that lives longer than the servers. */
export class JavaClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;

  /** What it prints besides goes to `client.out` in `dir`. */
  constructor(dir: string) {
    mkdirSync(dir, { recursive: true });
    const child = spawn(
      'java',
      javaArguments({
        mainClass: 'liftmq.compat.Main',
        arguments: ['serve'],
        home: dir,
        heapMiB: 512,
        jvm: quickStart,
      }),
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    child.stderr.pipe(createWriteStream(path.join(dir, 'client.out'), { flags: 'a' }));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#child = child;
  }

  /** What the scenario saw. Throws when it failed. */
  async run(server: Server, scenario: string, given: Facts): Promise<Facts> {
    const order = { scenario, namesrv: server.namesrv, broker: server.broker, arguments: given };
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    for (;;) {
      const { value: line, done } = await this.#lines.next();
      if (done === true) {
        throw new Error(`the Java client ended during ${scenario}`);
      }
      const message: unknown = line.startsWith('{') ? JSON.parse(line) : undefined;
      if (isOutcome(message)) {
        if (message.failures.length > 0) {
          throw new Error(`${scenario} failed: ${message.failures.join('; ')}`);
        }
        return message.facts;
      }
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return;
    }
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

function isOutcome(message: unknown): message is Outcome {
  return typeof message === 'object' && message !== null && 'scenario' in message;
}

function isControl(message: unknown): message is { control: string } {
  return typeof message === 'object' && message !== null && 'control' in message;
}
