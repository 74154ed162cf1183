/**
 * `npm run fuzz -- --frames N --seed S`: feeds a remoting server mutated frames of every command, and garbage, through
 * connections in memory, and checks that
 *
 * - nothing is thrown out of it,
 * - every frame that the general codec can read is answered (once, with its opaque, by a frame that can be read), until
 *   one comes that cannot, upon which the connection is closed,
 * - no chunk holds up the event loop for more than 50 ms, and memory does not grow.
 *
 * Each session (one connection) draws from chance of its own: `--session K` repeats that one.
 */
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Log } from '../../src/io/mod.ts';
import { decodeHeader, Flag } from '../../src/remoting/header.ts';
import { defaultRemotingLimits } from '../../src/remoting/limits.ts';
import {
  type Call,
  type Command,
  type CommandName,
  commands,
  type Handlers,
  type HeaderView,
  RemotingError,
  type Reply,
  ResponseError,
  type Role,
  startRemotingServer,
} from '../../src/remoting/mod.ts';
import { SimRandom } from '../../src/testing/mod.ts';
import { readAnswers } from '../remoting/raw-peer.ts';
import { anyFrame, mutate } from './grammar.ts';
import { ManualTime, type MemoryConnection, MemoryNetwork } from './memory-connection.ts';

interface FuzzOptions {
  frames: number;
  seed: number;
  /** Only this one. */
  session?: number;
}

interface FuzzReport {
  frames: number;
  bytes: number;
  sessions: number;
  answers: number;
  closedBadly: number;
  slowestChunkMs: number;
  heapGrowthBytes: number;
  rssGrowthBytes: number;
}

const stallMaxMs = 50;
const rssGrowthMax = 32 * 1024 * 1024;
const heapGrowthMax = 8 * 1024 * 1024;
/** Memory is compared from here on, when caches have their size. */
const warmUpShare = 0.25;
/** The system's allocator takes longer to find its own: what is resident is compared in longer runs only. */
const residentFromFrames = 2_000_000;

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export async function fuzz({ frames, seed, session: only }: FuzzOptions): Promise<FuzzReport> {
  const time = new ManualTime();
  const network = new MemoryNetwork();
  const outcomes = new SimRandom(seed, 'outcomes');
  const late: (() => void)[] = [];
  const limits = { outputSizeMax: 256 * 1024 };
  const ports = { network, timers: time, clock: time, log: silent, listen: { host: '127.0.0.1', port: 10911 }, limits };
  const handlers = dummyHandlers('broker', outcomes, late);
  const server = await startRemotingServer({ ...ports, role: 'broker', handlers: handlers as Handlers<'broker'> });

  const report: FuzzReport = {
    frames: 0,
    bytes: 0,
    sessions: 0,
    answers: 0,
    closedBadly: 0,
    slowestChunkMs: 0,
    heapGrowthBytes: 0,
    rssGrowthBytes: 0,
  };
  let before: Memory | undefined;
  let templates: Templates = { block: -1, frames: [] };
  for (let session = only ?? 0; report.frames < frames; session++) {
    const random = new SimRandom(seed, `session ${session}`);
    if (templates.block !== Math.floor(session / sessionsPerBlock)) templates = makeTemplates(seed, session);
    const connection = network.connect(random.chance(0.1));
    const chunks = sessionChunks(random, templates.frames);
    const startCpu = process.threadCpuUsage();
    try {
      for (const chunk of chunks) {
        const startMs = performance.now();
        connection.deliver(chunk);
        time.endTurn(1);
        const wallMs = performance.now() - startMs;
        if (wallMs > report.slowestChunkMs) {
          // Time that others had the processor is not ours; the whole session's is more than the chunk's.
          const { user, system } = process.threadCpuUsage(startCpu);
          report.slowestChunkMs = Math.max(report.slowestChunkMs, Math.min(wallMs, (user + system) / 1000));
        }
        if (random.chance(0.2)) for (const run of late.splice(0)) run();
      }
      await settle(connection, late, time);
      check(connection, Buffer.concat(chunks), report);
      assert.ok(report.slowestChunkMs <= stallMaxMs, `a chunk took ${report.slowestChunkMs} ms`);
    } catch (cause) {
      throw new Error(`session ${session} failed; repeat it with --seed ${seed} --session ${session}`, { cause });
    }
    connection.hangUp();
    report.sessions++;
    if (only !== undefined) break;
    if (before === undefined && report.frames >= frames * warmUpShare) before = settledMemory();
  }
  const { connections, heldBytes, inFlight } = server.stats();
  assert.deepEqual({ connections, heldBytes, inFlight }, { connections: 0, heldBytes: 0, inFlight: 0 });
  if (before !== undefined) {
    const after = settledMemory();
    report.heapGrowthBytes = after.heapBytes - before.heapBytes;
    report.rssGrowthBytes = after.residentBytes - before.residentBytes;
    assert.ok(report.heapGrowthBytes <= heapGrowthMax, `the heap grew by ${report.heapGrowthBytes} bytes`);
    const resident = report.rssGrowthBytes <= rssGrowthMax || frames < residentFromFrames;
    assert.ok(resident, `memory grew by ${report.rssGrowthBytes} bytes`);
  }
  await server.close(0);
  return report;
}

/** Making a frame costs more than mutating one: a block of sessions draws from the same. */
interface Templates {
  block: number;
  frames: Buffer[];
}

const sessionsPerBlock = 64;
const templatesPerBlock = 512;

function makeTemplates(seed: number, session: number): Templates {
  const block = Math.floor(session / sessionsPerBlock);
  const random = new SimRandom(seed, `templates ${block}`);
  return { block, frames: Array.from({ length: templatesPerBlock }, (_, opaque) => anyFrame(random, opaque)) };
}

/** The stream of one connection, cut anywhere. */
function sessionChunks(random: SimRandom, templates: readonly Buffer[]): Buffer[] {
  const count = 1 + random.below(random.chance(0.1) ? 400 : 60);
  // Sessions of clean frames go on to their end; the others mostly end with the first frame that cannot be read.
  const mutationShare = random.pick([0, 0.02, 0.1, 0.5]);
  const frames: Buffer[] = [];
  if (random.chance(0.02)) frames.push(Buffer.from(random.bytes(1 + random.below(200))));
  for (let index = 0; index < count; index++) {
    const template = templates[random.below(templates.length)];
    if (template === undefined) continue;
    frames.push(random.chance(mutationShare) ? mutate(random, template) : template);
  }
  const stream = Buffer.concat(frames);
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = 1 + random.below(random.pick([64, 1024, 8192, 65_536]));
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** Lets everything that was begun come to its end. */
async function settle(connection: MemoryConnection, late: (() => void)[], time: ManualTime): Promise<void> {
  do {
    for (const run of late.splice(0)) run();
    await new Promise((resolve) => setImmediate(resolve));
    time.endTurn(1);
    connection.drain();
  } while (late.length > 0 || connection.pendingBytes > 0);
}

/** Compares what was answered with what the general codec reads in the stream. */
function check(connection: MemoryConnection, stream: Buffer, report: FuzzReport): void {
  const answers = readAnswers(Buffer.concat(connection.written)).answers;
  report.answers += answers.length;
  // Another protocol's beginning: a PROXY header may be followed by anything, everything else is closed or waited for.
  if (stream[0] !== 0) {
    report.frames++;
    assert.ok(answers.length === 0 || stream[0] === 0x50 || stream[0] === 0x0d, 'no answer to what is no frame');
    return;
  }
  const { due, bad, frames, bytes } = readRequests(stream);
  report.frames += frames;
  report.bytes += bytes;
  for (const { header } of answers) {
    if (header.code === askedOfPeers.code && header.flag === 0) continue;
    assert.equal(header.flag, Flag.RESPONSE);
    const left = (due.get(header.opaque) ?? 0) - 1;
    assert.ok(left >= 0, `${header.opaque} was answered more often than asked`);
    due.set(header.opaque, left);
  }
  assert.equal(connection.closed, bad !== undefined, bad ?? 'nothing was wrong, yet it was closed');
  if (bad !== undefined) report.closedBadly++;
  else for (const [opaque, left] of due) assert.equal(left, 0, `${opaque} was not answered`);
}

interface Requests {
  /** How often each opaque asks for an answer. */
  due: Map<number, number>;
  /** Why the last frame cannot be read. */
  bad: string | undefined;
  frames: number;
  bytes: number;
}

/** What the general codec reads in a stream, up to the first frame that it cannot read. */
function readRequests(stream: Buffer): Requests {
  const { frameSizeMax, headerSizeMax } = defaultRemotingLimits;
  const read: Requests = { due: new Map(), bad: undefined, frames: 0, bytes: 0 };
  while (read.bad === undefined && stream.length - read.bytes >= 4) {
    const at = read.bytes;
    const size = 4 + stream.readInt32BE(at);
    if (size < 8 || size > frameSizeMax) read.bad = `a frame of ${size} bytes`;
    else if (stream.length - at < 8) break;
    else {
      const headerSize = stream.readInt32BE(at + 4) & 0xffffff;
      if (headerSize > size - 8 || headerSize > headerSizeMax) read.bad = `a header of ${headerSize} bytes`;
      else if (stream.length - at < size) break;
      else read.bad = readRequest(stream, at, headerSize, read.due);
    }
    read.frames++;
    if (read.bad === undefined) read.bytes += size;
  }
  return read;
}

function readRequest(stream: Buffer, at: number, headerSize: number, due: Map<number, number>): string | undefined {
  try {
    const header = decodeHeader(stream, at + 8, at + 8 + headerSize, stream[at + 4] ?? 0, defaultRemotingLimits);
    const { opaque, flag } = header;
    if ((flag & (Flag.RESPONSE | Flag.ONEWAY)) === 0) due.set(opaque, (due.get(opaque) ?? 0) + 1);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** What handlers ask of their peer now and then: frames with the response flag may answer it. */
const askedOfPeers = commands.getMaxOffset;

/** Handlers that read everything and answer in every way that handlers may: at once, later, never the same twice. */
function dummyHandlers(role: Role, random: SimRandom, late: (() => void)[]): Record<string, unknown> {
  const outcome = (row: Command, call: Call<CommandName>): unknown => {
    const reply = anyReply(random, row);
    if (random.chance(0.05)) {
      call.peer.request('getMaxOffset', { topic: 'T', queueId: 0 }, undefined, 1000).catch((error) => {
        assert.ok(error instanceof RemotingError);
      });
    }
    switch (random.below(16)) {
      case 0:
        throw new ResponseError(random.below(40_000), 'refused: "no"\n');
      case 1:
        if (random.chance(0.1)) throw new TypeError('a bug');
        return reply;
      case 2:
        return Promise.resolve(reply);
      case 3:
        return Promise.reject(new ResponseError(17, 'no such topic ü'));
      case 4:
      case 5:
        late.push(() => call.reply(reply));
        return undefined;
      default:
        return reply;
    }
  };
  const handler = (row: Command) =>
    row.hot === true
      ? (header: HeaderView, _body: Uint8Array, call: Call<CommandName>) => {
          readAll(row, header);
          return outcome(row, call);
        }
      : (_header: unknown, _body: Uint8Array, call: Call<CommandName>) => outcome(row, call);
  const served = Object.entries(commands as Record<string, Command>).filter(([, row]) => row.to === role && row.served);
  return Object.fromEntries(served.map(([name, row]) => [name, handler(row)]));
}

const copied = Buffer.alloc(65_536);

function readAll(row: Command, header: HeaderView): void {
  for (const [slot, { kind }] of Object.values(row.request).entries()) {
    if (!header.has(slot)) continue;
    const size = header.copy(slot, copied, 0);
    if (size <= copied.length) assert.equal(header.text(slot), copied.toString('utf8', 0, size));
    assert.equal(header.name(slot), header.text(slot));
    if (kind === 'i32') header.i32(slot);
    else if (kind === 'i64' || kind === 'time') header.i64(slot);
    else if (kind === 'bool') header.bool(slot);
  }
}

function anyReply(random: SimRandom, row: Command): Reply<CommandName> {
  const fields = Object.entries(row.response).map(([name, { kind }]) => {
    if (random.chance(0.2)) return [name, undefined];
    if (kind === 'text') return [name, random.pick(['', 'text', 'ü"\\\u0001', 'x'.repeat(1000)])];
    if (kind === 'bool') return [name, random.chance(0.5)];
    return [name, random.pick([0, -1, 999_999_999, 1_000_000_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])];
  });
  return {
    fields: Object.fromEntries(fields),
    extra: random.chance(0.1) ? { MSG_REGION: 'r', 'ü"': '\n' } : undefined,
    body: random.chance(0.3) ? [Buffer.alloc(random.below(5000)), Buffer.alloc(random.below(3000))] : undefined,
  };
}

interface Memory {
  heapBytes: number;
  residentBytes: number;
}

/** Memory when garbage is gone. */
function settledMemory(): Memory {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 3; round++) collect();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + arrayBuffers, residentBytes: rss };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '200000' },
      seed: { type: 'string', default: String(process.hrtime.bigint() % 1_000_000n) },
      session: { type: 'string' },
    },
  });
  const options: FuzzOptions = { frames: Number(values.frames), seed: Number(values.seed) };
  if (values.session !== undefined) options.session = Number(values.session);
  // Thousands of errors a second are made on purpose: their stacks would take most of the time.
  Error.stackTraceLimit = 1;
  console.log(`fuzzing with --frames ${options.frames} --seed ${options.seed}`);
  const startMs = performance.now();
  const report = await fuzz(options);
  const seconds = (performance.now() - startMs) / 1000;
  console.log({ ...report, seconds, framesPerSecond: Math.round(report.frames / seconds) });
}
