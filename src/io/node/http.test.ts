import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { httpGet, serveHttp } from './http.ts';

const anyPort = { host: '127.0.0.1', port: 0 };

function ask(
  port: number,
  method: string,
): Promise<{ status: number | undefined; allow: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: '/health', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode, allow: response.headers.allow, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

test('GET and HEAD are answered, other methods are told which are', async () => {
  const listener = await serveHttp(anyPort, () => ({ status: 200, contentType: 'text/plain', body: 'fine' }));
  const { port } = listener.local;
  assert.deepEqual(await ask(port, 'GET'), { status: 200, allow: undefined, body: 'fine' });
  assert.deepEqual(await ask(port, 'HEAD'), { status: 200, allow: undefined, body: '' });
  const { status, allow } = await ask(port, 'POST');
  assert.deepEqual([status, allow], [405, 'GET, HEAD']);
  await listener.close();
});

test('close ends the connections that are kept alive', async () => {
  const listener = await serveHttp(anyPort, () => ({ status: 200, contentType: 'text/plain', body: 'fine' }));
  const socket = net.connect(listener.local.port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  await listener.close();
  socket.resume();
  await closed;
});

test('a body over 1 MiB is refused, not collected', async () => {
  const server = http.createServer((_request, response) => response.end(Buffer.alloc(2 ** 20 + 1)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await assert.rejects(httpGet(`http://127.0.0.1:${port}/`, 5000), { name: 'NetworkError', code: 'EMSGSIZE' });
  server.close();
});

test('what is no http address is refused', async () => {
  await assert.rejects(httpGet('https://127.0.0.1/', 100), { code: 'EINVAL' });
  await assert.rejects(httpGet('nonsense', 100), { code: 'EINVAL' });
});
