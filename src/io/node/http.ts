import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Endpoint, type HttpReply, type Listener, NetworkError } from '../network.ts';

const bodyBytesMax = 1024 * 1024;
const headerBytesMax = 8 * 1024;
const connectionsMax = 256;
const requestTimeoutMs = 10_000;
const idleTimeoutMs = 5_000;

/** The body as UTF-8, 1 MiB at most (EMSGSIZE); `timeoutMs` is for the whole exchange. Only `http:`. */
export function httpGet(url: string, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string, cause?: unknown) =>
      reject(new NetworkError(code, `GET ${url}: ${message}`, cause));
    if (!URL.canParse(url) || new URL(url).protocol !== 'http:') {
      fail('EINVAL', 'not an http: address');
      return;
    }
    const request = http.get(url, { agent: false, maxHeaderSize: headerBytesMax }, (response) => {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      response.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (sizeBytes > bodyBytesMax) request.destroy(new NetworkError('EMSGSIZE', `body over ${bodyBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
      response.on('error', onError);
    });
    const timer = setTimeout(() => {
      request.destroy(new NetworkError('ETIMEDOUT', `no answer in ${timeoutMs} ms`));
    }, timeoutMs);
    function onError(error: NodeJS.ErrnoException): void {
      clearTimeout(timer);
      fail(error.code ?? 'EOTHER', error.message, error);
    }
    request.on('error', onError);
  });
}

export function serveHttp(
  endpoint: Endpoint,
  answer: (path: string) => HttpReply | Promise<HttpReply>,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = http.createServer(
      {
        maxHeaderSize: headerBytesMax,
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        keepAliveTimeout: idleTimeoutMs,
      },
      (request, response) => {
        // Nobody reads a body here; without this it would hold the connection.
        request.resume();
        reply(request, response, answer);
      },
    );
    server.maxConnections = connectionsMax;
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new NetworkError(
          error.code ?? 'EOTHER',
          `listen on ${endpoint.host}:${endpoint.port}: ${error.message}`,
          error,
        ),
      ),
    );
    server.listen(endpoint.port, endpoint.host, () => {
      const { address, port } = server.address() as AddressInfo;
      resolve({
        local: { host: address, port },
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function reply(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  answer: (path: string) => HttpReply | Promise<HttpReply>,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('only GET and HEAD\n');
    return;
  }
  let answered: HttpReply;
  try {
    answered = await answer((request.url ?? '/').split('?', 1)[0] ?? '/');
  } catch {
    // What went wrong is for the log of whoever answers, not for strangers.
    answered = { status: 500, contentType: 'text/plain', body: 'internal error\n' };
  }
  const body = Buffer.from(answered.body, 'utf8');
  response.writeHead(answered.status, { 'content-type': answered.contentType, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
