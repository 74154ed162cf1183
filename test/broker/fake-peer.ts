import type { Peer } from '../../src/remoting/mod.ts';

/** A connection that tests hold the other end of. */
export interface FakePeer extends Peer {
  /** Names of the one-way requests that it was sent, with their headers. */
  readonly notices: [name: string, header: unknown][];
  readonly closedBecause: string[];
  /** The connection breaks. */
  break(): void;
}

export function newPeer(id: number): FakePeer {
  const listeners: (() => void)[] = [];
  let open = true;
  const peer: FakePeer = {
    id,
    host: '10.0.0.9',
    port: 40_000 + id,
    ip: Uint8Array.of(10, 0, 0, 9),
    notices: [],
    closedBecause: [],
    request: () => Promise.reject(new Error('a fake peer answers nothing')),
    notify: (name, header) => {
      peer.notices.push([name, header]);
    },
    onClose: (run) => {
      if (open) listeners.push(run);
      else run();
    },
    close: (reason) => {
      peer.closedBecause.push(reason);
      peer.break();
    },
    break: () => {
      open = false;
      for (const run of listeners.splice(0)) run();
    },
  };
  return peer;
}
