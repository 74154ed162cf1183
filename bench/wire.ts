/**
 * The few administrative requests that a run needs before its load: one frame out, one frame back, over a
 * connection of its own. Kept apart from src/ on purpose: what measures both servers shares no code with one.
 *
 *     | total length i32 | encoding u8 (0 = JSON) | header length u24 | header JSON | body |
 */
import { once } from 'node:events';
import { createConnection } from 'node:net';

const RequestCode = { getRoute: 105, sendMessageV2: 310, createTopic: 17 } as const;

export interface Answer {
  readonly code: number;
  readonly remark: string;
}

/** Asks once; rejects when nobody listens, the connection ends early or no answer comes within `timeoutMs`. */
async function ask(port: number, code: number, extFields: Record<string, string>, body = ''): Promise<Answer> {
  const timeoutMs = 3000;
  const header = Buffer.from(
    JSON.stringify({
      code,
      extFields,
      flag: 0,
      language: 'JAVA',
      opaque: 1,
      serializeTypeCurrentRPC: 'JSON',
      version: 513,
    }),
  );
  const frame = Buffer.alloc(8 + header.length + body.length);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(header.length, 4);
  header.copy(frame, 8);
  frame.write(body, 8 + header.length, 'latin1');

  const socket = createConnection({ host: '127.0.0.1', port, noDelay: true });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`port ${port} gave no answer within ${timeoutMs} ms`)));
  try {
    await once(socket, 'connect');
    socket.write(frame);
    let got = Buffer.alloc(0);
    for await (const chunk of socket) {
      got = Buffer.concat([got, chunk]);
      if (got.length >= 8 && got.length >= 4 + got.readInt32BE(0)) break;
    }
    if (got.length < 8) throw new Error(`port ${port} closed the connection without an answer`);
    const answer: unknown = JSON.parse(got.toString('utf8', 8, 8 + (got.readInt32BE(4) & 0xffffff)));
    if (typeof answer !== 'object' || answer === null || !('code' in answer) || typeof answer.code !== 'number') {
      throw new Error(`port ${port} answered something else than a remoting frame`);
    }
    return { code: answer.code, remark: 'remark' in answer ? String(answer.remark) : '' };
  } finally {
    socket.destroy();
  }
}

export function createTopic(brokerPort: number, topic: string, queueCount: number): Promise<Answer> {
  return ask(brokerPort, RequestCode.createTopic, {
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: String(queueCount),
    writeQueueNums: String(queueCount),
    perm: '6',
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'false',
    attributes: '',
  });
}

/** Asks a name server for a topic's route: code 0 once a broker that serves it has registered. */
export function findRoute(namesrvPort: number, topic: string): Promise<Answer> {
  return ask(namesrvPort, RequestCode.getRoute, { topic });
}

/** Sends one small message to a topic that need not exist yet. */
export function sendOne(brokerPort: number, topic: string): Promise<Answer> {
  const fields: Record<string, string> = {
    a: 'bench_producer',
    b: topic,
    c: 'TBW102',
    d: '4',
    e: '0',
    f: '0',
    g: String(Date.now()),
    h: '0',
    i: 'WAIT\u0001true\u0002',
    j: '0',
    k: 'false',
    m: 'false',
    n: 'broker-a',
  };
  return ask(brokerPort, RequestCode.sendMessageV2, fields, 'first');
}
