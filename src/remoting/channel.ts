/**
 * A connection that speaks remoting, at either end: frames come in and are dispatched or matched with a request of
 * ours, answers and requests go out. All that is written in one turn of the event loop leaves as one write.
 *
 *     bytes → FrameReader → header ─ request  → admission → handler → Call.reply ┐
 *                                  └ response → the waiting request             Outbox → connection
 */
import { assert } from '../common/mod.ts';
import type { Clock, Connection, Log, Timers } from '../io/mod.ts';
import { ipBytes } from './address.ts';
import { RemotingError, type RemotingFailure } from './client-api.ts';
import { ResponseCode, ResponseError } from './codes.ts';
import type { CommandName, RequestOf, ResponseOf } from './commands.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { type AnyReply, type Dispatch, type Entry, notSupported, type Refusal } from './dispatch.ts';
import { FrameError, FrameReader, lengthSize, prefixSize, Serialization } from './frame.ts';
import { type FrameKind, frameKind, noFields, writeFrame } from './frame-writer.ts';
import type { Call, Peer, Reply, Response } from './handler.ts';
import { decodeHeader, Flag, type RemotingHeader } from './header.ts';
import type { HeaderScanner } from './header-scanner.ts';
import { goAwayAfterVersion } from './languages.ts';
import type { RemotingLimits } from './limits.ts';
import { type BlockPool, Outbox } from './outbox.ts';
import { type PreparedCommand, preparedCommand, readRequestFields, readResponseFields, valuesOf } from './rows.ts';

/** Output of one turn is handed over early when it passes this, so that back-pressure is felt within the turn. */
const flushEarlySize = 1_048_576;

/**
 * Answers call themselves JAVA: clients that do not know a name read null, and a proxy that passes such an answer on
 * in the binary form fails on it (RocketMQ: RocketMQSerializable writes `getLanguage().getCode()`; NODE_JS is in 5.5.0's
 * list but not in that of older clients).
 */
const answerKind = frameKind(Flag.RESPONSE, 'JAVA');

/** What all channels of a server, or of a client, share. */
export interface ChannelHub {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: RemotingLimits;
  readonly dispatch: Dispatch;
  readonly scanner: HeaderScanner;
  readonly pool: BlockPool;
  readonly deadlines: Deadlines;
  readonly counters: Counters;
  /** Whether new requests of clients that understand it are answered GO_AWAY. */
  readonly goingAway: boolean;
  /** How requests of ours present themselves. */
  readonly requestKind: FrameKind;
  readonly onewayKind: FrameKind;
  /** Channels open now, for an equal share of the budget. */
  readonly channelCount: number;
  /** The time of the last sweep: exact enough for idleness. */
  readonly sweptMs: number;
  /** Flushes the channel at the end of this turn. */
  flushLater(channel: Channel): void;
  /** A connection is to be closed because of what it sent. */
  badFrame(channel: Channel, error: FrameError): void;
}

export class Counters {
  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
  refusedBusy = 0;
  badFrames = 0;
  /** Bytes held for all channels: half frames, and answers not taken. */
  heldBytes = 0;
  /** Requests without an answer yet. */
  inFlight = 0;
  readonly #responses = new Map<number, number>();
  #successes = 0;

  countResponse(code: number): void {
    if (code === 0) this.#successes++;
    else this.#responses.set(code, (this.#responses.get(code) ?? 0) + 1);
  }

  responsesByCode(): Map<number, number> {
    const counts = new Map(this.#responses);
    if (this.#successes > 0) counts.set(0, this.#successes);
    return counts;
  }
}

/** A request of ours that waits for its answer. */
class Outbound extends Deadline {
  readonly command: PreparedCommand;
  readonly opaque: number;
  readonly resolve: (response: Response<CommandName>) => void;
  readonly reject: (error: RemotingError) => void;
  readonly #channel: Channel;

  constructor(
    channel: Channel,
    command: PreparedCommand,
    opaque: number,
    atMs: number,
    resolve: (response: Response<CommandName>) => void,
    reject: (error: RemotingError) => void,
  ) {
    super(atMs);
    this.#channel = channel;
    this.command = command;
    this.opaque = opaque;
    this.resolve = resolve;
    this.reject = reject;
  }

  override expire(): void {
    this.#channel.expire(this);
  }
}

/** A request under way. */
class InboundCall implements Call<CommandName> {
  readonly command: PreparedCommand;
  readonly opaque: number;
  readonly version: number;
  readonly language: string | undefined;
  readonly oneway: boolean;
  readonly serialization: number;
  readonly #channel: Channel;
  #answered = false;

  constructor(
    channel: Channel,
    command: PreparedCommand,
    opaque: number,
    version: number,
    language: string | undefined,
    oneway: boolean,
    serialization: number,
  ) {
    this.#channel = channel;
    this.command = command;
    this.opaque = opaque;
    this.version = version;
    this.language = language;
    this.oneway = oneway;
    this.serialization = serialization;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get name(): CommandName {
    return this.command.command;
  }

  get peer(): Peer {
    return this.#channel;
  }

  get entrance(): 'main' | 'vip' {
    return this.#channel.entrance;
  }

  reply(reply: Reply<CommandName>): void {
    assert(!this.#answered, 'a call is answered once');
    this.#channel.answer(this, reply);
    this.#answered = true;
  }
}

export class Channel implements Peer {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly ip: Uint8Array;
  readonly entrance: 'main' | 'vip';
  readonly #hub: ChannelHub;
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  readonly #outbox: Outbox;
  readonly #outbound = new Map<number, Outbound>();
  #nextOpaque = 0;
  #closeRuns: (() => void)[] = [];
  #closed = false;
  #ending = false;
  #inTurn = false;
  #flushQueued = false;
  /** Not read until the peer has taken what is written. */
  #paused = false;
  #inFlight = 0;
  #countedHeldBytes = 0;
  #framesRead = 0;
  /** When the frame that is unfinished now began. */
  #frameSinceMs = 0;
  #lastTrafficMs: number;
  #takenBytesSeen = 0;

  constructor(
    hub: ChannelHub,
    connection: Connection,
    id: number,
    entrance: 'main' | 'vip',
    source = connection.remote,
  ) {
    this.#hub = hub;
    this.#connection = connection;
    this.id = id;
    this.entrance = entrance;
    this.host = source.host;
    this.port = source.port;
    this.ip = ipBytes(source.host) ?? new Uint8Array(4);
    this.#outbox = new Outbox(hub.pool);
    this.#reader = new FrameReader(hub.limits, (bytes, start, end) => this.#onFrame(bytes, start, end));
    this.#lastTrafficMs = hub.sweptMs;
  }

  get address(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** Requests of ours that wait for an answer. */
  get awaited(): number {
    return this.#outbound.size;
  }

  // What the connection tells.

  onData(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#hub.counters.bytesIn += bytes.length;
    this.#lastTrafficMs = this.#hub.sweptMs;
    this.#read(() => this.#reader.push(bytes));
  }

  onDrain(): void {
    if (this.#closed) return;
    this.#lastTrafficMs = this.#hub.sweptMs;
    this.#outbox.settle(this.#connection.pendingBytes);
    if (this.#paused) {
      this.#paused = false;
      // The time that a frame waited for us is not the sender's.
      this.#frameSinceMs = this.#hub.sweptMs;
      this.#read(() => this.#reader.resume());
      if (!this.#paused && !this.#closed) this.#connection.resume();
    }
    this.#countHeld();
  }

  /** The connection is gone: what waits for its peer fails, and whoever asked is told. */
  gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#countHeld();
    // Nobody waits for the answers under way: held pulls may never get one.
    this.#hub.counters.inFlight -= this.#inFlight;
    this.#inFlight = 0;
    this.#outbox.drop();
    for (const outbound of this.#outbound.values()) {
      this.#hub.deadlines.remove(outbound);
      outbound.reject(this.#failure('closed', `${outbound.command.row.name}: ${this.address} closed the connection`));
    }
    this.#outbound.clear();
    const runs = this.#closeRuns;
    this.#closeRuns = [];
    for (const run of runs) run();
  }

  // What handlers and clients ask for.

  onClose(run: () => void): void {
    if (this.#closed) run();
    else this.#closeRuns.push(run);
  }

  request<K extends CommandName>(
    name: K,
    header: RequestOf<K>,
    body: Uint8Array | undefined,
    timeoutMs: number,
    extra?: Readonly<Record<string, string>>,
  ): Promise<Response<K>> {
    return new Promise<Response<CommandName>>((resolve, reject) => {
      if (this.#closed) {
        reject(this.#failure('closed', `${name} was not sent: the connection is closed`));
        return;
      }
      if (this.#outbound.size >= this.#hub.limits.outboundRequestsMax) {
        reject(this.#failure('busy', `${name} was not sent: ${this.#outbound.size} requests wait for an answer`));
        return;
      }
      const command = preparedCommand(name);
      const opaque = this.#takeOpaque();
      const atMs = this.#hub.clock.monotonicMs() + timeoutMs;
      const outbound = new Outbound(this, command, opaque, atMs, resolve, reject);
      this.#outbound.set(opaque, outbound);
      this.#hub.deadlines.add(outbound);
      this.#writeRequest(command, opaque, this.#hub.requestKind, header, body, extra);
    }) as Promise<unknown> as Promise<Response<K>>;
  }

  notify<K extends CommandName>(name: K, header: RequestOf<K>, body?: Uint8Array): void {
    if (!this.#closed)
      this.#writeRequest(preparedCommand(name), this.#takeOpaque(), this.#hub.onewayKind, header, body, undefined);
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#hub.log.info('remoting.closed', { peer: this.address, reason }, `closed ${this.address}: ${reason}`);
    this.#connection.destroy();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    if (this.#closed) return;
    this.flush();
    this.#connection.end();
  }

  /** Ends once the requests of ours that are under way have their answers; for a server that goes away. */
  endWhenAnswered(): void {
    this.#ending = true;
    if (this.#outbound.size === 0) this.end();
  }

  flush(): void {
    this.#flushQueued = false;
    if (this.#closed) return;
    this.#hub.counters.bytesOut += this.#outbox.flush(this.#connection);
    if (!this.#paused && this.#connection.pendingBytes > this.#hub.limits.outputSizeMax) {
      this.#paused = true;
      this.#connection.pause();
    }
    this.#countHeld();
  }

  /** Ends a request whose time is over; an answer that comes later is ignored. */
  expire(outbound: Outbound): void {
    this.#outbound.delete(outbound.opaque);
    outbound.reject(this.#failure('timeout', `${outbound.command.row.name}: no answer from ${this.address} in time`));
  }

  answer(call: InboundCall, reply: AnyReply): void {
    if (this.#closed) {
      reply.taken?.();
      return;
    }
    if (call.oneway) {
      reply.taken?.();
      return;
    }
    this.#writeAnswer(call.serialization, call.opaque, call.command, reply);
    this.#inFlight--;
    this.#hub.counters.inFlight--;
  }

  /** Judges the time that the peer took. Returns why the connection must be closed, if it must. */
  overdue(nowMs: number): string | undefined {
    const { limits } = this.#hub;
    const takenBytes = this.#outbox.flushedBytes - this.#connection.pendingBytes;
    if (takenBytes !== this.#takenBytesSeen) {
      this.#takenBytesSeen = takenBytes;
      this.#lastTrafficMs = nowMs;
    }
    if (nowMs - this.#lastTrafficMs >= limits.idleTimeoutMs) return `no traffic for ${limits.idleTimeoutMs} ms`;
    const frameBytes = this.#paused ? 0 : this.#reader.heldBytes;
    if (frameBytes === 0) return undefined;
    const frameMs = nowMs - this.#frameSinceMs;
    if (frameMs >= limits.frameTimeoutMs && frameBytes < (frameMs / 1000) * limits.frameRateMin) {
      return `a frame unfinished after ${Math.round(frameMs)} ms, ${frameBytes} bytes of it`;
    }
    return undefined;
  }

  // From bytes to calls.

  /** Runs the reader, closes the connection when the peer does not speak the protocol, and sends what came of it. */
  #read(run: () => void): void {
    const framesBefore = this.#framesRead;
    const waitedBefore = this.#reader.heldBytes > 0;
    this.#inTurn = true;
    try {
      run();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // What was asked before it is answered.
      this.flush();
      this.#hub.badFrame(this, error);
      return;
    } finally {
      this.#inTurn = false;
    }
    if (!waitedBefore || this.#framesRead !== framesBefore) this.#frameSinceMs = this.#hub.sweptMs;
    if (this.#outbox.unflushedBytes > 0) this.flush();
    else this.#countHeld();
    // A half frame cannot be answered, and waiting for its end would only take more.
    if (this.#overBudget && this.#reader.heldBytes > this.#hub.limits.headerSizeMax && !this.#paused) {
      this.close(
        `its unfinished frame holds ${this.#reader.heldBytes} bytes, and the budget of all connections is spent`,
      );
    }
  }

  #onFrame(bytes: Buffer, start: number, end: number): boolean {
    this.#framesRead++;
    const headerStart = start + prefixSize;
    const serialization = bytes[start + lengthSize];
    const headerEnd = headerStart + (bytes.readInt32BE(start + lengthSize) & 0xffffff);
    const body = bytes.subarray(headerEnd, end);
    const { scanner } = this.#hub;
    if (scanner.scan(bytes, headerStart, headerEnd, serialization) && (scanner.flag & Flag.RESPONSE) === 0) {
      this.#onRequest(scanner, serialization, body, undefined);
    } else {
      const header = decodeHeader(bytes, headerStart, headerEnd, serialization, this.#hub.limits);
      if ((header.flag & Flag.RESPONSE) !== 0) this.#onResponse(header, body);
      else this.#onRequest(header, serialization, body, header.extFields);
    }
    if (this.#outbox.unflushedBytes > flushEarlySize) this.flush();
    return !this.#paused && !this.#closed;
  }

  /** `extFields` are undefined when the scanner holds them. */
  #onRequest(
    head: Omit<RemotingHeader, 'remark' | 'extFields'>,
    serialization: number,
    body: Uint8Array,
    extFields: ReadonlyMap<string, string> | undefined,
  ): void {
    const { counters, scanner } = this.#hub;
    const { code, opaque, version } = head;
    const oneway = (head.flag & Flag.ONEWAY) !== 0;
    counters.requests++;
    const entry = this.#hub.dispatch.entry(code);
    const refusal = this.#refusal(entry, code, version, oneway);
    if (refusal !== undefined || entry === undefined) {
      assert(refusal !== undefined, 'what has no handler is refused');
      if (!oneway) this.#writeAnswer(serialization, opaque, undefined, refusal);
      return;
    }
    entry.requests++;
    // Handlers need not answer one-way requests.
    if (!oneway) {
      this.#inFlight++;
      counters.inFlight++;
    }
    const { command, hot, plain } = entry;
    const call = new InboundCall(this, command, opaque, version, head.language, oneway, serialization);
    try {
      if (hot !== undefined) {
        if (extFields !== undefined) scanner.fill(hot.row, extFields);
        scanner.checkRequired();
        this.#settle(call, hot.run(scanner, body, call));
      } else if (plain !== undefined && extFields !== undefined) {
        this.#settle(call, plain(readRequestFields(command, extFields), body, call, extFields));
      }
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #settle(call: InboundCall, outcome: AnyReply | Promise<AnyReply> | undefined): void {
    if (outcome === undefined) return;
    if (outcome instanceof Promise) {
      outcome.then(
        (reply) => call.reply(reply as Reply<CommandName>),
        (error) => this.#fail(call, error),
      );
    } else call.reply(outcome as Reply<CommandName>);
  }

  #fail(call: InboundCall, error: unknown): void {
    const { row } = call.command;
    if (error instanceof ResponseError && !call.answered) {
      call.reply({ code: error.code, remark: error.message });
      return;
    }
    this.#hub.log.error(
      'remoting.handler-failed',
      { peer: this.address, request: row.name, error },
      `${row.name} failed`,
    );
    if (!call.answered) call.reply({ code: ResponseCode.SYSTEM_ERROR, remark: `${row.name} failed: ${String(error)}` });
  }

  /** Why a request is not given to its handler. */
  #refusal(entry: Entry | undefined, code: number, version: number, oneway: boolean): Refusal | undefined {
    const { limits, counters } = this.#hub;
    if (entry === undefined || (this.entrance === 'vip' && !entry.vip)) return notSupported(code, this.entrance);
    // A one-way request cannot be sent elsewhere: it would be lost (the last offsets of a consumer, for one).
    if (this.#hub.goingAway && version > goAwayAfterVersion && !oneway) {
      return { code: ResponseCode.GO_AWAY, remark: 'this server is shutting down: please go away' };
    }
    if (this.#inFlight >= limits.inFlightMax) {
      counters.refusedBusy++;
      return busy(
        `${this.#inFlight} requests of this connection wait for their answer, the limit is ${limits.inFlightMax}`,
      );
    }
    if (this.#overBudget) {
      counters.refusedBusy++;
      return busy(
        `connections hold ${counters.heldBytes} bytes, the budget is ${limits.heldBytesBudget}, and this one holds ${this.#countedHeldBytes}`,
      );
    }
    return undefined;
  }

  /** The budget is spent, and this connection has more than an equal share of it. */
  get #overBudget(): boolean {
    const { limits, counters, channelCount } = this.#hub;
    return (
      counters.heldBytes > limits.heldBytesBudget && this.#countedHeldBytes * channelCount > limits.heldBytesBudget
    );
  }

  #onResponse(header: RemotingHeader, body: Uint8Array): void {
    const outbound = this.#outbound.get(header.opaque);
    // Late: its request has timed out.
    if (outbound === undefined) return;
    this.#outbound.delete(header.opaque);
    this.#hub.deadlines.remove(outbound);
    if (this.#ending && this.#outbound.size === 0) this.end();
    let fields: Partial<ResponseOf<CommandName>>;
    try {
      fields = readResponseFields(outbound.command, header.extFields) as Partial<ResponseOf<CommandName>>;
    } catch (cause) {
      assert(cause instanceof ResponseError, 'only bad values make a response unreadable');
      outbound.reject(this.#failure('bad frame', `${outbound.command.row.name}: ${cause.message}`, cause));
      return;
    }
    outbound.resolve({
      code: header.code,
      remark: header.remark,
      fields,
      extra: header.extFields,
      body: Uint8Array.from(body),
      version: header.version,
    });
  }

  // From calls to bytes.

  #writeAnswer(serialization: number, opaque: number, command: PreparedCommand | undefined, reply: AnyReply): void {
    const code = reply.code ?? 0;
    this.#hub.counters.countResponse(code);
    const responseHeader = command === undefined ? noFields : command.responseHeader;
    writeFrame(
      this.#outbox,
      { kind: answerKind, serialization, code, opaque, remark: reply.remark },
      responseHeader,
      reply.values ?? (reply.fields === undefined ? undefined : valuesOf(responseHeader, reply.fields)),
      reply.extra,
      reply.body,
      reply.taken,
    );
    this.#wrote();
  }

  #writeRequest(
    command: PreparedCommand,
    opaque: number,
    kind: FrameKind,
    header: Readonly<Record<string, unknown>>,
    body: Uint8Array | undefined,
    extra: Readonly<Record<string, string>> | undefined,
  ): void {
    writeFrame(
      this.#outbox,
      { kind, serialization: Serialization.JSON, code: command.row.code, opaque, remark: undefined },
      command.requestHeader,
      valuesOf(command.requestHeader, header),
      extra,
      body,
      undefined,
    );
    this.#wrote();
  }

  #wrote(): void {
    if (this.#inTurn || this.#flushQueued) return;
    this.#flushQueued = true;
    this.#hub.flushLater(this);
  }

  #takeOpaque(): number {
    while (this.#outbound.has(this.#nextOpaque)) this.#nextOpaque = (this.#nextOpaque + 1) | 0;
    const opaque = this.#nextOpaque;
    this.#nextOpaque = (opaque + 1) | 0;
    return opaque;
  }

  #countHeld(): void {
    const heldBytes = this.#closed
      ? 0
      : this.#reader.heldBytes + this.#outbox.unflushedBytes + this.#connection.pendingBytes;
    this.#hub.counters.heldBytes += heldBytes - this.#countedHeldBytes;
    this.#countedHeldBytes = heldBytes;
  }

  #failure(failure: RemotingFailure, message: string, cause?: unknown): RemotingError {
    return new RemotingError(failure, this.address, message, cause);
  }
}

function busy(cause: string): Refusal {
  return { code: ResponseCode.SYSTEM_BUSY, remark: `[OVERLOAD]system busy, try again later: ${cause}` };
}
