/**
 * Two ends of a simulated TCP connection. Bytes pass these stations:
 *
 *   write → queue (pendingBytes) → wire + arrived (counted against the window) → onData
 *
 * The window makes back-pressure real: who does not read fills it, and the writer's queue grows. What `onData` gets is
 * spoilt after the call, so that whoever keeps it without copying is found out.
 */
import { assert, crc32 } from '../common/mod.ts';
import { type Connection, type ConnectionEvents, type Endpoint, NetworkError } from '../io/mod.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { SimLinks } from './sim-links.ts';
import type { SimRandom } from './sim-random.ts';

const lingerMs = 5_000;
/** TCP doubles its pause between attempts: after an outage of seconds the next comes within as many. */
const retransmitWithinMs = 5_000;
const spoiltByte = 0xdd;
/** Between two pieces of what arrived together. */
const pieceUs = [1, 50] as const;

type Segment = Uint8Array | 'fin';

export interface Wiring {
  scheduler: Scheduler;
  random: SimRandom;
  links: SimLinks;
  closed(end: SimConnection): void;
}

export function connectEnds(
  wiring: Wiring,
  client: { owner: Owner; endpoint: Endpoint; machine: string },
  server: { owner: Owner; endpoint: Endpoint; machine: string },
): [SimConnection, SimConnection] {
  const windowBytes = wiring.random.between(wiring.links.shape.windowBytes);
  const clientEnd = new SimConnection(wiring, windowBytes, client, server.endpoint);
  const serverEnd = new SimConnection(wiring, windowBytes, server, client.endpoint);
  clientEnd.join(serverEnd);
  serverEnd.join(clientEnd);
  return [clientEnd, serverEnd];
}

export class SimConnection implements Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly owner: Owner;
  readonly machine: string;
  readonly #wiring: Wiring;
  /** For the trace. */
  readonly #label: string;
  readonly #windowBytes: number;
  #peer: SimConnection | undefined;
  #events: ConnectionEvents | undefined;
  #closed = false;
  #closedTold = false;
  #cause: Error | undefined;

  readonly #queue = new ByteQueue();
  /** Sent, and not yet read by the peer's process. */
  #unreadByPeerBytes = 0;
  #wantsDrain = false;
  #ending = false;
  #finSent = false;
  #giveUpPlanned = false;

  /** Under way to this end: whichever packet arrives, it brings the first of them, so order is kept. */
  readonly #wire: Segment[] = [];
  readonly #arrived = new ByteQueue();
  /** Read by our process, and not yet told to the writer. */
  #untoldReadBytes = 0;
  #finArrived = false;
  #paused = false;
  #deliveryPlanned = false;

  constructor(
    wiring: Wiring,
    windowBytes: number,
    self: { owner: Owner; endpoint: Endpoint; machine: string },
    remote: Endpoint,
  ) {
    this.#wiring = wiring;
    this.#windowBytes = windowBytes;
    this.owner = self.owner;
    this.machine = self.machine;
    this.local = self.endpoint;
    this.remote = remote;
    this.#label = `${this.local.host}:${this.local.port}-${remote.host}:${remote.port}`;
  }

  join(peer: SimConnection): void {
    this.#peer = peer;
  }

  start(events: ConnectionEvents): void {
    assert(this.#events === undefined, 'a connection is started once');
    this.#events = events;
    if (this.#closed) this.#plan('closed', () => this.#tellClosed());
    else this.#planDelivery(0);
  }

  write(bytes: Uint8Array): void {
    this.writeAll([bytes]);
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    if (this.#closed || this.#ending || !this.owner.alive) return;
    for (const chunk of chunks) this.#queue.push(chunk);
    this.#pump();
    this.#wantsDrain ||= this.#queue.sizeBytes > 0;
  }

  get pendingBytes(): number {
    return this.#queue.sizeBytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#planDelivery(0);
  }

  end(): void {
    if (this.#closed || this.#ending || !this.owner.alive) return;
    this.#ending = true;
    this.#pump();
    // What still arrives is read and dropped.
    this.resume();
    this.#wiring.scheduler.schedule(this.owner, lingerMs * 1000, 'linger', this.#label, () => this.destroy());
  }

  destroy(cause?: Error): void {
    if (this.#closed || !this.owner.alive) return;
    // Closing over unread bytes resets the connection, as it does in Linux.
    this.#tellPeer(this.#arrived.sizeBytes > 0 || this.#wire.length > 0);
    this.#close(cause);
  }

  /** The process of this end was killed: its kernel closes for it. */
  abandon(): void {
    if (this.#closed) return;
    this.#tellPeer(this.#arrived.sizeBytes > 0 || this.#wire.length > 0 || this.#wiring.random.chance(0.3));
    this.#closed = true;
    this.#wiring.closed(this);
  }

  /** The machine of this end lost power: nobody closes, and the peer hears nothing until it asks. */
  vanish(): void {
    this.#closed = true;
    this.#wiring.closed(this);
    this.peer.#planGiveUp();
  }

  /** The machine of the other end is up again, and does not know this connection: it resets what asks for it. */
  forgottenByPeer(): void {
    // Unanswered bytes are sent again soon; over an idle connection only a keep-alive asks.
    const { giveUpMs } = this.#wiring.links.shape;
    const withinMs = this.#unreadByPeerBytes > 0 ? Math.min(retransmitWithinMs, giveUpMs) : giveUpMs;
    this.#wiring.scheduler.schedule(undefined, this.#wiring.random.below(withinMs * 1000), 'probe', this.#label, () =>
      this.reset(),
    );
  }

  get closed(): boolean {
    return this.#closed;
  }

  get peer(): SimConnection {
    assert(this.#peer !== undefined, 'a connection has two ends');
    return this.#peer;
  }

  #pump(): void {
    const room = this.#windowBytes - this.#unreadByPeerBytes;
    if (this.#queue.sizeBytes > 0 && room > 0) {
      // A copy: the kernel has taken these bytes.
      const taken = this.#queue.copy(Math.min(room, this.#queue.sizeBytes));
      this.#unreadByPeerBytes += taken.length;
      this.#send(taken);
    }
    if (this.#queue.sizeBytes === 0 && this.#ending && !this.#finSent) {
      this.#finSent = true;
      this.#send('fin');
      this.#closeWhenBothEnded();
    }
  }

  #send(segment: Segment): void {
    const peer = this.peer;
    peer.#wire.push(segment);
    if (segment === 'fin') this.#carry('fin', 0, () => peer.#arrive());
    else this.#carry('segment', crc32(segment), () => peer.#arrive());
  }

  #carry(kind: string, number: number, arrive: () => void): void {
    const { links } = this.#wiring;
    const to = this.peer.machine;
    if (links.isCut(this.machine, to) || links.isOff(to)) this.#planGiveUp();
    links.carry(this.machine, to, kind, this.#label, arrive, number);
  }

  #tellPeer(reset: boolean): void {
    if (reset) {
      this.#carry('reset', 0, () => this.peer.reset());
    } else if (!this.#finSent) {
      this.#finSent = true;
      this.#send('fin');
    }
  }

  /** TCP gives a peer up that does not answer for long; the other end learns of it when it asks. */
  #planGiveUp(): void {
    if (this.#giveUpPlanned || this.#closed) return;
    this.#giveUpPlanned = true;
    const { scheduler, links } = this.#wiring;
    scheduler.schedule(undefined, links.shape.giveUpMs * 1000, 'give up', this.#label, () => {
      this.#giveUpPlanned = false;
      const to = this.peer.machine;
      const unreachable = links.isCut(this.machine, to) || links.isCut(to, this.machine) || links.isOff(to);
      if (unreachable || this.peer.closed) this.#fail('ETIMEDOUT');
    });
  }

  #arrive(): void {
    const segment = this.#wire.shift();
    if (segment === undefined) return;
    if (this.#closed) {
      if (segment !== 'fin') this.#carry('reset', 0, () => this.peer.reset());
      return;
    }
    if (segment === 'fin') {
      this.#finArrived = true;
    } else {
      this.#arrived.push(segment);
    }
    if (this.owner.pausedUntilUs > this.#wiring.scheduler.nowUs) this.#planDelivery(0);
    else this.#deliver();
  }

  #planDelivery(delayUs: number): void {
    if (this.#deliveryPlanned || this.#closed) return;
    this.#deliveryPlanned = true;
    this.#plan(
      'deliver',
      () => {
        this.#deliveryPlanned = false;
        this.#deliver();
      },
      delayUs,
    );
  }

  #deliver(): void {
    if (this.#closed || !this.owner.alive || this.#events === undefined || this.#paused) return;
    if (this.#arrived.sizeBytes > 0) {
      const piece = this.#arrived.take(this.#ending ? this.#arrived.sizeBytes : this.#pieceBytes());
      this.#credit(piece.length);
      if (!this.#ending) {
        this.#events.onData(piece);
        piece.fill(spoiltByte);
      }
    }
    if (this.#arrived.sizeBytes > 0) {
      this.#planDelivery(this.#wiring.random.between(pieceUs));
    } else if (this.#finArrived && !this.#closed) {
      // As node:net does by default: the answer to the peer's end is our own, after what is queued.
      this.#ending = true;
      this.#pump();
      this.#closeWhenBothEnded();
    }
  }

  #pieceBytes(): number {
    const { random, links } = this.#wiring;
    if (!links.shape.chopped) return this.#arrived.sizeBytes;
    if (random.chance(0.5)) return this.#arrived.sizeBytes;
    const most = random.pick([this.#arrived.sizeBytes, 1024, 64, 8]);
    return 1 + random.below(Math.min(most, this.#arrived.sizeBytes));
  }

  /**
   * Tells the writer that bytes were read: not each few, or it would send as few again (TCP's silly window). The news
   * is a packet of its own only where somebody waits for it.
   */
  #credit(readBytes: number): void {
    this.#untoldReadBytes += readBytes;
    if (this.#arrived.sizeBytes > 0 && this.#untoldReadBytes < this.#windowBytes / 2) return;
    const { peer } = this;
    const { links } = this.#wiring;
    const toldBytes = this.#untoldReadBytes;
    this.#untoldReadBytes = 0;
    const arrive = () => {
      peer.#unreadByPeerBytes -= toldBytes;
      peer.#windowOpened();
    };
    if (peer.#queue.sizeBytes === 0 && !links.isCut(this.machine, peer.machine)) arrive();
    else this.#carry('window', toldBytes, arrive);
  }

  #windowOpened(): void {
    if (this.#closed || !this.owner.alive) return;
    this.#pump();
    if (this.#wantsDrain && this.#queue.sizeBytes === 0) {
      this.#wantsDrain = false;
      this.#plan('drain', () => {
        if (!this.#closed && this.#queue.sizeBytes === 0) this.#events?.onDrain();
      });
    }
  }

  #closeWhenBothEnded(): void {
    if (this.#finSent && this.#finArrived && this.#arrived.sizeBytes === 0) this.#close(undefined);
  }

  reset(): void {
    this.#wire.length = 0;
    this.#fail('ECONNRESET');
  }

  #fail(code: string): void {
    if (!this.#closed)
      this.#close(new NetworkError(code, `connection with ${this.remote.host}:${this.remote.port}: ${code}`));
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cause = cause;
    this.#queue.clear();
    this.#arrived.clear();
    this.#wiring.closed(this);
    this.#plan('closed', () => this.#tellClosed());
  }

  /** Once, and not before somebody listens. */
  #tellClosed(): void {
    if (this.#events === undefined || this.#closedTold) return;
    this.#closedTold = true;
    this.#events.onClose(this.#cause);
  }

  #plan(kind: string, run: () => void, delayUs = 0): void {
    this.#wiring.scheduler.schedule(this.owner, delayUs, kind, this.#label, run);
  }
}
