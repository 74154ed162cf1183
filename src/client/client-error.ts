/**
 * - 'no route': no name server knows the topic, or no broker of it is writable (readable).
 * - 'refused': a server answered with another code than success; `code` is its response code.
 * - 'unreachable': no server of those that could have answered did.
 * - 'busy': too much is under way here; nothing was sent.
 * - 'invalid': the call makes no sense, or a server sent nonsense.
 * - 'stopped': this client was closed.
 */
export type ClientFailure = 'no route' | 'refused' | 'unreachable' | 'busy' | 'invalid' | 'stopped';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly failure: ClientFailure;
  /** The server's response code, when it refused. */
  readonly code: number | undefined;

  constructor(failure: ClientFailure, message: string, options: { code?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.failure = failure;
    this.code = options.code;
  }
}
