// Apache's name server and ours, asked the same in the same order: what they answer must be the same but for what is
// listed here with its reason.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLooseJson } from '../../src/common/mod.ts';
import { type Running, start, stop } from '../process/running.ts';
import { type Step, steps } from './name-server-requests.ts';
import { javaArguments } from './toolchain.ts';

const ports = { apache: 20_976, liftmq: 20_977 };
/** Long enough for a Java process on a machine that has other work. */
const javaStartLimitMs = 120_000;
const answerLimitMs = 60_000;

/** Answers that differ on purpose, and why. */
const differences: Readonly<Record<string, string>> = {
  'a single topic before the broker': 'our remark goes on and says why',
};

interface Answer {
  readonly code: number;
  readonly remark: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
  /** Whether integer keys stand bare, where the body has any. */
  readonly bareKeys: boolean;
  readonly body: unknown;
}

const folder = mkdtempSync(path.join(tmpdir(), 'liftmq-name-server-'));
const answers = new Map<string, Map<string, Answer | 'closed'>>();

before(async () => {
  const [apache, liftmq] = await Promise.all([startApache(), startLiftmq()]);
  try {
    const told = await Promise.all([askAll(ports.apache), askAll(ports.liftmq)]);
    answers.set('apache', told[0]);
    answers.set('liftmq', told[1]);
  } catch (cause) {
    throw new Error(`Apache printed:\n${apache.output().slice(-4000)}\nours:\n${liftmq.output().slice(-4000)}`, {
      cause,
    });
  } finally {
    await Promise.all([stop(apache, 'SIGTERM'), stop(liftmq, 'SIGTERM')]);
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

describe('the name server answers as Apache RocketMQ does', () => {
  for (const step of steps) {
    if (!('title' in step) || step.title in differences) continue;
    test(step.title, () => {
      assert.deepEqual(answers.get('liftmq')?.get(step.title), answers.get('apache')?.get(step.title));
    });
  }
});

function startApache(): Promise<Running> {
  const conf = path.join(folder, 'namesrv.conf');
  const kvConfig = path.join(folder, 'apache', 'kvConfig.json');
  writeFileSync(conf, `listenPort=${ports.apache}\nbindAddress=127.0.0.1\nkvConfigPath=${kvConfig}\n`);
  const args = javaArguments({
    mainClass: 'org.apache.rocketmq.namesrv.NamesrvStartup',
    arguments: ['-c', conf],
    home: folder,
    heapMiB: 256,
  });
  const env = { ...process.env, ROCKETMQ_HOME: folder };
  return start(['java', ...args], { cwd: folder, env, announcement: /boot success/, limitMs: javaStartLimitMs });
}

function startLiftmq(): Promise<Running> {
  const liftmq = path.join(import.meta.dirname, '..', '..', 'bin', 'liftmq.ts');
  const flags = ['--data', 'liftmq', '-D', `listenPort=${ports.liftmq}`, '--http-port', '0', '--log-level', 'error'];
  return start([process.execPath, liftmq, 'namesrv', ...flags], {
    cwd: folder,
    announcement: /boot success/,
    limitMs: javaStartLimitMs,
  });
}

async function askAll(port: number): Promise<Map<string, Answer | 'closed'>> {
  const connections = new Map<string, Probe>();
  const told = new Map<string, Answer | 'closed'>();
  for (const step of steps) {
    if ('pauseMs' in step) {
      await sleep(step.pauseMs);
    } else if ('close' in step) {
      connections.get(step.close)?.close();
    } else {
      const by = step.by ?? 'client';
      const probe = connections.get(by) ?? (await Probe.connect(port));
      connections.set(by, probe);
      assert.ok(!told.has(step.title), `two steps are called ${step.title}`);
      told.set(step.title, await probe.ask(step));
    }
  }
  for (const probe of connections.values()) probe.close();
  return told;
}

/** A connection that asks one thing at a time, in bytes of its own. */
class Probe {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;
  #opaque = 0;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      if (this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readInt32BE(0)) this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<Probe> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Probe(socket);
  }

  async ask(step: Extract<Step, { title: string }>): Promise<Answer | 'closed'> {
    if (this.#closed) return 'closed';
    this.#opaque++;
    const header = Buffer.from(
      JSON.stringify({
        code: step.code,
        extFields: step.fields ?? {},
        flag: 0,
        language: 'JAVA',
        opaque: this.#opaque,
        serializeTypeCurrentRPC: 'JSON',
        version: step.version ?? 513,
      }),
    );
    const body = Buffer.from(step.body ?? '');
    const prefix = Buffer.alloc(8);
    prefix.writeInt32BE(4 + header.length + body.length);
    prefix.writeInt32BE(header.length, 4);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const late = setTimeout(() => reject(new Error(`no answer to: ${step.title}`)), answerLimitMs);
    this.#socket.write(Buffer.concat([prefix, header, body]));
    await promise.finally(() => clearTimeout(late));
    return this.#closed ? 'closed' : this.#take();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(): Answer {
    const end = 4 + this.#received.readInt32BE(0);
    const bodyStart = 8 + (this.#received.readInt32BE(4) & 0xff_ffff);
    const header = JSON.parse(this.#received.toString('utf8', 8, bodyStart));
    const body = this.#received.toString('utf8', bodyStart, end);
    this.#received = this.#received.subarray(end);
    assert.equal(header.opaque, this.#opaque);
    return {
      code: header.code,
      remark: comparableRemark(header),
      fields: header.extFields ?? {},
      bareKeys: /[{,]\d+:/.test(body),
      body: body === '' ? undefined : inOrder(parseLooseJson(body)),
    };
  }
}

/** Remarks are for people: where ours say more, only the beginning is compared, and of failures only that there is one. */
function comparableRemark({ code, remark }: { code: number; remark?: string }): string | undefined {
  if (code === 17) return remark?.slice(0, 'No topic route info in name server for the topic:'.length);
  if (code === 3) return 'some remark';
  // Apache forgets to clear it in one of its answers.
  return remark === 'not set any response code' ? undefined : remark;
}

/** Lists come in the order of Java's hash tables: they are compared as sets. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inOrder).sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) => [key, inOrder(member)] as const);
  // "Some broker's address": whichever comes first in a hash table.
  return Object.fromEntries(
    entries.filter(([key]) => key !== 'brokerAddr').sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}
