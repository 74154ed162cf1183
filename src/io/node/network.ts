import dns from 'node:dns';
import net from 'node:net';
import {
  type Connection,
  type ConnectionEvents,
  type Endpoint,
  type Listener,
  type Network,
  NetworkError,
} from '../network.ts';
import { httpGet, serveHttp } from './http.ts';
import { createLanes, Lane, type Lanes } from './lane.ts';

/** A peer that vanished without a word is noticed by the kernel some minutes after this much silence. */
const keepAliveAfterMs = 60_000;
/** How long `end` waits for the peer to close too, before the socket is dropped. */
const lingerMs = 5_000;

/**
 * All connections read into this one buffer, whose bytes are handed out before the next read. By default Node gives
 * every read 64 KiB of its own, whose release costs the collector more than all that a frame's handling allocates.
 */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

export function createNodeNetwork(options: { lanes?: Lanes } = {}): Network {
  const { slow } = options.lanes ?? createLanes();
  // getaddrinfo can hang for a minute: one at a time, so that a dead name server costs one thread at most.
  const oneLookUp = new Lane(1);
  const lookUp = (host: string): Promise<dns.LookupAddress[]> =>
    oneLookUp.run(() => slow.run(() => dns.promises.lookup(host, { all: true, order: 'ipv4first' })));

  return {
    listen: (endpoint, onConnection) => listen(endpoint, onConnection),
    connect: (endpoint, timeoutMs) => connect(endpoint, timeoutMs, lookUp),
    async resolve(host) {
      if (net.isIP(host) !== 0) return [host];
      try {
        return (await lookUp(host)).map(({ address }) => address);
      } catch (error) {
        throw networkError(error, `resolve ${host}`);
      }
    },
    httpGet,
    serveHttp,
  };
}

function listen(endpoint: Endpoint, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      // Gone again between the handshake and now.
      if (socket.remoteAddress === undefined) socket.destroy();
      else {
        const sink = new Sink();
        onConnection(new NodeConnection(readingInto(sink, socket), sink));
      }
    });
    server.once('error', (error) => reject(networkError(error, `listen on ${endpoint.host}:${endpoint.port}`)));
    server.listen({ host: endpoint.host, port: endpoint.port, backlog: 1024 }, () => {
      const { address, port } = server.address() as net.AddressInfo;
      resolve({
        local: { host: numericHost(address), port },
        close: () => new Promise((closed) => closeServer(server, closed)),
      });
    });
  });
}

/** `server.close` would wait for the open connections, which stay by contract: its port is free at once. */
function closeServer(server: net.Server, closed: () => void): void {
  server.close();
  setImmediate(closed);
}

function connect(
  { host, port }: Endpoint,
  timeoutMs: number,
  lookUp: (host: string) => Promise<dns.LookupAddress[]>,
): Promise<Connection> {
  const target = `connect to ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const sink = new Sink();
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: sink.onread,
      lookup: (name, _options, done) => {
        lookUp(name).then(
          (addresses) => done(null, addresses),
          (error) => done(error, []),
        );
      },
    });
    socket.pause();
    const timer = setTimeout(() => {
      socket.destroy(new NetworkError('ETIMEDOUT', `${target}: no answer in ${timeoutMs} ms`));
    }, timeoutMs);
    const refuse = (error: Error) => {
      clearTimeout(timer);
      reject(error instanceof NetworkError ? error : networkError(error, target));
    };
    socket.once('error', refuse);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', refuse);
      // TCP's simultaneous open: a free port in the ephemeral range can be connected to itself.
      if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
        socket.on('error', () => {});
        socket.destroy();
        reject(new NetworkError('ECONNREFUSED', `${target}: connected to itself`));
        return;
      }
      resolve(new NodeConnection(socket, sink));
    });
  });
}

/**
 * Where a socket's bytes go: known to the socket before there is somebody to take them.
 *
 * A socket that reads into a buffer of ours forgets a `pause` that comes before a `resume` took effect, and would read
 * on for ever: what it reads while paused is kept (one read, since the answer `false` stops it) until `resume`.
 */
class Sink {
  take: ((bytes: Uint8Array) => void) | undefined;
  #paused = false;
  #kept: Buffer | undefined;
  readonly onread = {
    buffer: readBuffer,
    callback: (size: number): boolean => {
      this.accept(readBuffer.subarray(0, size));
      return !this.#paused;
    },
  };

  accept(bytes: Buffer): void {
    if (!this.#paused) this.take?.(bytes);
    else this.#kept = this.#kept === undefined ? Buffer.from(bytes) : Buffer.concat([this.#kept, bytes]);
  }

  pause(): void {
    this.#paused = true;
  }

  /** False when the taker paused again over what was kept. */
  resume(): boolean {
    this.#paused = false;
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) this.take?.(kept);
    return !this.#paused;
  }
}

/**
 * An accepted socket has its read buffer chosen by Node, and only the constructor can choose another: so a second
 * socket takes the connection over. `handle` and `_handle` are not documented; without them the first one stays.
 */
function readingInto(sink: Sink, accepted: net.Socket): net.Socket {
  const inner = accepted as unknown as { _handle?: { useUserBuffer?: unknown } | null };
  const handle = inner._handle;
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', (bytes) => sink.accept(bytes as Buffer));
    accepted.pause();
    return accepted;
  }
  inner._handle = null;
  const options = { handle, onread: sink.onread, pauseOnCreate: true, readable: true, writable: true };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

class NodeConnection implements Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #socket: net.Socket;
  readonly #sink: Sink;
  #events: ConnectionEvents | undefined;
  #cause: Error | undefined;
  #wantsDrain = false;
  #closed = false;
  #ended = false;
  #linger: NodeJS.Timeout | undefined;

  /** `socket` is paused. */
  constructor(socket: net.Socket, sink: Sink) {
    this.#socket = socket;
    this.#sink = sink;
    this.local = { host: numericHost(socket.localAddress ?? ''), port: socket.localPort ?? 0 };
    this.remote = { host: numericHost(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    socket.setKeepAlive(true, keepAliveAfterMs);
    socket.on('error', (error) => {
      this.#cause ??= networkError(error, `connection with ${this.remote.host}:${this.remote.port}`);
    });
    socket.on('close', () => this.#close());
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    if (this.#closed) {
      setImmediate(() => events.onClose(this.#cause));
      return;
    }
    this.#sink.take = (bytes) => {
      if (!this.#ended) events.onData(bytes);
    };
    this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    this.#socket.write(bytes, this.#written);
    this.#wantsDrain ||= this.#socket.writableLength > 0;
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    if (!this.#socket.writable) return;
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk, this.#written);
    this.#socket.uncork();
    this.#wantsDrain ||= this.#socket.writableLength > 0;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#sink.pause();
    this.#socket.pause();
  }

  resume(): void {
    if (this.#sink.resume()) this.#socket.resume();
  }

  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#socket.end();
    // What still arrives is read and dropped: closing over unread bytes would reset what the peer has yet to read.
    this.resume();
    this.#linger = setTimeout(() => this.#socket.destroy(), lingerMs);
  }

  destroy(cause?: Error): void {
    this.#cause ??= cause;
    this.#socket.destroy();
  }

  /** The stream's own 'drain' comes only after its high-water mark was passed; the contract wants it from zero. */
  readonly #written = (): void => {
    if (!this.#wantsDrain || this.#socket.writableLength > 0) return;
    this.#wantsDrain = false;
    if (!this.#closed && !this.#socket.destroyed) this.#events?.onDrain();
  };

  #close(): void {
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#events?.onClose(this.#cause);
  }
}

function numericHost(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function networkError(error: unknown, what: string): NetworkError {
  const { code = 'EOTHER', message } = firstOf(error as NodeJS.ErrnoException);
  return new NetworkError(code, `${what}: ${message}`, error);
}

/** Trying several addresses ends in an AggregateError. */
function firstOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}
