/** TCP, names and the little HTTP that a broker needs, as byte streams and callbacks. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface ConnectionEvents {
  /** `bytes` are valid only during the call: copy what is kept. */
  onData(bytes: Uint8Array): void;
  /** Once, whoever closed it; `cause` when it broke. No event follows. */
  onClose(cause?: Error): void;
  /** Everything written was taken by the system after `pendingBytes` had been above zero. */
  onDrain(): void;
}

export interface Connection {
  readonly local: Endpoint;
  /** The peer: `host` is a numeric address (IPv4 never in mapped IPv6 form). */
  readonly remote: Endpoint;
  /** Begins delivery; called once. What arrived before is delivered first. */
  start(events: ConnectionEvents): void;
  /** Queues the bytes, in order. They belong to the connection until it drains or closes; ignored after close. */
  write(bytes: Uint8Array): void;
  /** Several chunks as one gathered write. */
  writeAll(chunks: readonly Uint8Array[]): void;
  /** Bytes written that the system has not taken yet. */
  readonly pendingBytes: number;
  /** Stops and resumes `onData`: the peer feels it through TCP's window. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once; queued bytes are dropped. `onClose` follows. */
  destroy(cause?: Error): void;
}

export interface Listener {
  readonly local: Endpoint;
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  /** ECONNREFUSED, EADDRINUSE, ETIMEDOUT, ECONNRESET, ENOTFOUND… */
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface HttpReply {
  status: number;
  contentType: string;
  body: string;
}

export interface Network {
  /** Port 0 lets the system choose. Rejects with NetworkError (EADDRINUSE, EACCES…). */
  listen(endpoint: Endpoint, onConnection: (connection: Connection) => void): Promise<Listener>;
  connect(endpoint: Endpoint, timeoutMs: number): Promise<Connection>;
  /** Numeric addresses of a host name, IPv4 first. */
  resolve(host: string): Promise<string[]>;
  httpGet(url: string, timeoutMs: number): Promise<{ status: number; body: string }>;
  /** Answers GET requests by path (no query); for health, metrics. */
  serveHttp(endpoint: Endpoint, answer: (path: string) => HttpReply | Promise<HttpReply>): Promise<Listener>;
}
