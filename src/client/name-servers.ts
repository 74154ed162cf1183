import { assert } from '../common/mod.ts';
import type { Random } from '../io/mod.ts';
import {
  type CommandName,
  type RemotingClient,
  RemotingError,
  type RequestOf,
  type Response,
} from '../remoting/mod.ts';
import { ClientError } from './client-error.ts';

/**
 * The name servers: one of them, chosen at random, is asked until it fails to answer; then the next one. They share
 * nothing, but brokers register with all of them.
 */
export class NameServers {
  readonly #remoting: RemotingClient;
  readonly #addresses: readonly string[];
  #current: number;

  /** `addresses` are `host:port`. */
  constructor(remoting: RemotingClient, addresses: readonly string[], random: Random) {
    assert(addresses.length > 0, 'a client knows at least one name server');
    this.#remoting = remoting;
    this.#addresses = addresses;
    this.#current = random.below(addresses.length);
  }

  /** Asks each name server at most once. Throws ClientError 'unreachable' when none answered. */
  async request<K extends CommandName>(name: K, header: RequestOf<K>): Promise<Response<K>> {
    const count = this.#addresses.length;
    const first = this.#current;
    let cause: unknown;
    for (let i = 0; i < count; i++) {
      const index = (first + i) % count;
      try {
        const response = await this.#remoting.request(this.#addresses[index], name, header);
        this.#current = index;
        return response;
      } catch (error) {
        if (!(error instanceof RemotingError)) throw error;
        if (error.failure === 'stopped') throw new ClientError('stopped', error.message, { cause: error });
        cause = error;
      }
    }
    throw new ClientError('unreachable', `no name server answered: ${this.#addresses.join(', ')}`, { cause });
  }
}
