import type { CommandName, RequestOf } from './commands.ts';
import type { Response } from './handler.ts';

export type RemotingFailure = 'timeout' | 'connect failed' | 'closed' | 'busy' | 'bad frame' | 'stopped';

/** The request did not get an answer. Whether the server carried it out is unknown, except for 'connect failed', 'busy' and 'stopped'. */
export class RemotingError extends Error {
  override readonly name = 'RemotingError';
  readonly failure: RemotingFailure;
  readonly address: string;
  constructor(failure: RemotingFailure, address: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.failure = failure;
    this.address = address;
  }
}

/** Requests to servers by `host:port`: one connection per address, opened on first use, shared and pipelined. */
export interface RemotingClient {
  request<K extends CommandName>(
    address: string,
    name: K,
    header: RequestOf<K>,
    options?: { body?: Uint8Array | undefined; timeoutMs?: number; extra?: Readonly<Record<string, string>> },
  ): Promise<Response<K>>;
  /** Resolves when the bytes are handed to the connection. */
  oneway<K extends CommandName>(address: string, name: K, header: RequestOf<K>, body?: Uint8Array): Promise<void>;
  /**
   * Called with an address whose connection is gone, unless `disconnect` or `close` ended it. Nothing is opened anew
   * before the next request.
   */
  onDisconnect(disconnected: (address: string) => void): void;
  /** Closes the connection to an address, if there is one. */
  disconnect(address: string): void;
  close(): Promise<void>;
}
