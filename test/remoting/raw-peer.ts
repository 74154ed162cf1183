/** A peer that speaks in bytes, for tests of the remoting server and client: it sends what no client of ours would. */
import type { Connection, Endpoint, Env } from '../../src/io/mod.ts';

export interface RawAnswer {
  header: {
    code: number;
    flag: number;
    opaque: number;
    remark?: string;
    language?: string;
    version?: number;
    extFields?: Record<string, string>;
  };
  /** The header as it came. */
  headerBytes: Buffer;
  serialization: number;
  body: Buffer;
}

/** A frame with a JSON header. */
export function frame(header: object | string, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const headerBytes = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return frameOf(headerBytes, 0, body);
}

export function frameOf(header: Buffer, serialization: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeInt32BE(4 + header.length + body.length);
  prefix.writeInt32BE((serialization << 24) | header.length, 4);
  return Buffer.concat([prefix, header, body]);
}

export class RawPeer {
  readonly connection: Connection;
  #received: Uint8Array[] = [];
  closed = false;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start({
      onData: (bytes) => {
        this.#received.push(Buffer.from(bytes));
      },
      onDrain: () => {},
      onClose: () => {
        this.closed = true;
      },
    });
  }

  static async connect(env: Env, to: Endpoint): Promise<RawPeer> {
    return new RawPeer(await env.network.connect(to, 1000));
  }

  send(...pieces: Uint8Array[]): void {
    this.connection.write(Buffer.concat(pieces));
  }

  /** The whole frames received so far, which are taken out. */
  take(): RawAnswer[] {
    const { answers, rest } = readAnswers(Buffer.concat(this.#received));
    this.#received = [rest];
    return answers;
  }
}

/** The whole frames that `bytes` begin with, and what is behind them. */
export function readAnswers(bytes: Buffer): { answers: RawAnswer[]; rest: Buffer } {
  const answers: RawAnswer[] = [];
  let at = 0;
  while (bytes.length - at >= 4) {
    const end = at + 4 + bytes.readInt32BE(at);
    if (end > bytes.length) break;
    const headerEnd = at + 8 + (bytes.readInt32BE(at + 4) & 0xffffff);
    const serialization = bytes[at + 4];
    const headerBytes = bytes.subarray(at + 8, headerEnd);
    const header =
      serialization === 0
        ? JSON.parse(headerBytes.toString())
        : { code: headerBytes.readInt16BE(0), opaque: headerBytes.readInt32BE(5), flag: headerBytes.readInt32BE(9) };
    answers.push({ header, headerBytes, serialization, body: bytes.subarray(headerEnd, end) });
    at = end;
  }
  return { answers, rest: bytes.subarray(at) };
}
