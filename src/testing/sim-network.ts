/** The network of a simulated world: machines by address and name, who listens where, and the connections between. */
import {
  type Connection,
  type Endpoint,
  type HttpReply,
  type Listener,
  type Network,
  NetworkError,
} from '../io/mod.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import { connectEnds, type SimConnection, type Wiring } from './sim-connection.ts';
import { type NetworkShape, networkShapeByDefault, SimLinks } from './sim-links.ts';
import type { SimRandom } from './sim-random.ts';

const synRetryUs = 1_000_000;
const firstEphemeralPort = 40_000;
const loopback = '127.0.0.1';
const anyAddress = new Set(['0.0.0.0', '::', '']);

type Answer = (path: string) => HttpReply | Promise<HttpReply>;

interface Bound {
  owner: Owner;
  /** As it was asked for; an "any" address takes every one of the machine's. */
  host: string;
  accept: { connection(connection: Connection): void } | { http: Answer };
}

export class SimNetwork {
  readonly links: SimLinks;
  /** Host name → address. */
  readonly names = new Map<string, string>();
  readonly #scheduler: Scheduler;
  readonly #wiring: Wiring;
  readonly #connections = new Set<SimConnection>();
  /** Client ends whose server machine lost power. */
  #orphans: SimConnection[] = [];
  /** `address:port` → the sockets bound there. */
  readonly #bound = new Map<string, Bound[]>();
  #nextPort = firstEphemeralPort;

  constructor(scheduler: Scheduler, random: SimRandom, shape: Partial<NetworkShape> = {}) {
    this.#scheduler = scheduler;
    this.links = new SimLinks(scheduler, random, { ...networkShapeByDefault, ...shape });
    this.#wiring = { scheduler, random, links: this.links, closed: (end) => this.#connections.delete(end) };
  }

  processEnded(owner: Owner): void {
    for (const [place, bound] of this.#bound) {
      this.#bound.set(
        place,
        bound.filter((one) => one.owner !== owner),
      );
    }
    for (const end of [...this.#connections]) if (end.owner === owner) end.abandon();
  }

  machineEnded(address: string): void {
    this.links.setOff(address, true);
    for (const end of [...this.#connections]) {
      if (end.machine !== address) continue;
      end.vanish();
      this.#orphans.push(end.peer);
    }
    for (const place of [...this.#bound.keys()]) if (place.startsWith(`${address}:`)) this.#bound.delete(place);
  }

  machineStarted(address: string): void {
    if (!this.links.isOff(address)) return;
    this.links.setOff(address, false);
    for (const orphan of this.#orphans) if (orphan.peer.machine === address) orphan.forgottenByPeer();
    this.#orphans = this.#orphans.filter((orphan) => orphan.peer.machine !== address);
  }

  /** Every connection with this machine breaks, for both ends. */
  resetConnections(address: string): void {
    for (const end of [...this.#connections]) if (end.machine === address || end.peer.machine === address) end.reset();
  }

  portOf(owner: Owner, address: string): Network {
    return {
      listen: (endpoint, onConnection) => this.#listen(owner, address, endpoint, { connection: onConnection }),
      serveHttp: (endpoint, answer) => this.#listen(owner, address, endpoint, { http: answer }),
      connect: (endpoint, timeoutMs) => this.#connect(owner, address, endpoint, timeoutMs),
      resolve: (host) =>
        this.#later(owner, 'resolve', host, () => {
          const found = this.#lookUp(host);
          if (found === undefined) throw new NetworkError('ENOTFOUND', `resolve ${host}: no such name`);
          return [found];
        }),
      httpGet: (url, timeoutMs) => this.#httpGet(owner, address, url, timeoutMs),
    };
  }

  #later<T>(owner: Owner, kind: string, detail: string, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#scheduler.schedule(owner, 20, kind, detail, () => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #lookUp(host: string): string | undefined {
    if (host === 'localhost') return loopback;
    return /^\d+(\.\d+){3}$/.test(host) || host.includes(':') ? host : this.names.get(host);
  }

  #listen(owner: Owner, machine: string, endpoint: Endpoint, accept: Bound['accept']): Promise<Listener> {
    return this.#later(owner, 'listen', `${machine}:${endpoint.port}`, () => {
      const { host } = endpoint;
      const refuse = (code: string) => {
        throw new NetworkError(code, `listen on ${host}:${endpoint.port}: ${code}`);
      };
      if (!anyAddress.has(host) && host !== machine && this.#lookUp(host) !== loopback) refuse('EADDRNOTAVAIL');
      const port = endpoint.port === 0 ? this.#ephemeralPort() : endpoint.port;
      const place = `${machine}:${port}`;
      const others = this.#bound.get(place) ?? [];
      if (others.some((other) => overlap(other.host, host))) refuse('EADDRINUSE');
      const bound: Bound = { owner, host, accept };
      this.#bound.set(place, [...others, bound]);
      return {
        local: { host, port },
        close: () =>
          this.#later(owner, 'unlisten', place, () => {
            const left = this.#bound.get(place) ?? [];
            this.#bound.set(
              place,
              left.filter((one) => one !== bound),
            );
          }),
      };
    });
  }

  #connect(owner: Owner, machine: string, endpoint: Endpoint, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const refuse = (code: string) =>
        reject(new NetworkError(code, `connect to ${endpoint.host}:${endpoint.port}: ${code}`));
      let over = false;
      const timer = this.#scheduler.schedule(owner, timeoutMs * 1000, 'connect timeout', endpoint.host, () => {
        over = true;
        refuse('ETIMEDOUT');
      });
      this.#reach(owner, machine, endpoint, () => over, {
        refused: (code) => {
          timer.cancel();
          over = true;
          refuse(code);
        },
        reached: (bound, host, back) => {
          if (!('connection' in bound.accept)) return;
          const accepted = bound.accept.connection;
          const local = { host: host === loopback ? loopback : machine, port: this.#ephemeralPort() };
          const [clientEnd, serverEnd] = connectEnds(
            this.#wiring,
            { owner, endpoint: local, machine },
            {
              owner: bound.owner,
              endpoint: { host, port: endpoint.port },
              machine: host === loopback ? machine : host,
            },
          );
          this.#connections.add(clientEnd).add(serverEnd);
          this.#scheduler.schedule(bound.owner, 0, 'accept', `${local.host}:${local.port}`, () => accepted(serverEnd));
          back(() => {
            if (over || !owner.alive) {
              clientEnd.abandon();
              return;
            }
            timer.cancel();
            over = true;
            this.#scheduler.schedule(owner, 0, 'connected', `${endpoint.host}:${endpoint.port}`, () =>
              resolve(clientEnd),
            );
          });
        },
      });
    });
  }

  #httpGet(owner: Owner, machine: string, url: string, timeoutMs: number): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const { hostname, port, pathname } = new URL(url);
      const refuse = (code: string) => reject(new NetworkError(code, `GET ${url}: ${code}`));
      let over = false;
      const timer = this.#scheduler.schedule(owner, timeoutMs * 1000, 'http timeout', url, () => {
        over = true;
        refuse('ETIMEDOUT');
      });
      const end = (settle: () => void) => {
        if (over) return;
        over = true;
        timer.cancel();
        this.#scheduler.schedule(owner, 0, 'http end', url, settle);
      };
      const endpoint = { host: hostname, port: port === '' ? 80 : Number(port) };
      this.#reach(owner, machine, endpoint, () => over, {
        refused: (code) => end(() => refuse(code)),
        reached: (bound, _host, back) => {
          const { accept } = bound;
          if (!('http' in accept)) {
            back(() => end(() => refuse('ECONNRESET')));
            return;
          }
          this.#scheduler.schedule(bound.owner, 0, 'http', pathname, async () => {
            const { status, body } = await answerOf(accept.http, pathname);
            back(() => end(() => resolve({ status, body })));
          });
        },
      });
    });
  }

  /** The handshake: asks again each second while nothing answers, until `over`. */
  #reach(
    owner: Owner,
    machine: string,
    endpoint: Endpoint,
    over: () => boolean,
    outcome: {
      refused(code: string): void;
      reached(bound: Bound, host: string, back: (arrive: () => void) => void): void;
    },
  ): void {
    const host = this.#lookUp(endpoint.host);
    if (host === undefined) {
      this.#scheduler.schedule(owner, 20, 'resolve', endpoint.host, () => outcome.refused('ENOTFOUND'));
      return;
    }
    const target = host === loopback ? machine : host;
    let answered = false;
    const ask = () => {
      if (answered || over() || !owner.alive) return;
      this.#scheduler.schedule(owner, synRetryUs, 'syn retry', endpoint.host, ask);
      this.links.carry(machine, target, 'syn', `${machine} ${endpoint.host}:${endpoint.port}`, () => {
        if (answered) return;
        answered = true;
        const back = (arrive: () => void) => this.links.carry(target, machine, 'syn ack', machine, arrive);
        const bound = this.#boundAt(target, host, endpoint.port);
        if (bound === undefined) back(() => outcome.refused('ECONNREFUSED'));
        else outcome.reached(bound, host, back);
      });
    };
    ask();
  }

  #boundAt(machine: string, host: string, port: number): Bound | undefined {
    return this.#bound
      .get(`${machine}:${port}`)
      ?.find((bound) => bound.owner.alive && (anyAddress.has(bound.host) || this.#lookUp(bound.host) === host));
  }

  #ephemeralPort(): number {
    this.#nextPort += 1;
    return this.#nextPort;
  }
}

async function answerOf(answer: Answer, path: string): Promise<HttpReply> {
  try {
    return await answer(path);
  } catch {
    return { status: 500, contentType: 'text/plain', body: 'internal error\n' };
  }
}

function overlap(one: string, other: string): boolean {
  return one === other || anyAddress.has(one) || anyAddress.has(other);
}
