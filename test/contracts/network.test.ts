import assert from 'node:assert/strict';
import type { Connection, ConnectionEvents, Listener } from '../../src/io/mod.ts';
import { contract, type Site } from './grounds.ts';

/** One end, with what it heard. */
interface End {
  connection: Connection;
  received: Uint8Array[];
  receivedBytes: number;
  drains: number;
  closed?: { cause: Error | undefined };
}

function attach(connection: Connection, events: Partial<ConnectionEvents> = {}): End {
  const end: End = { connection, received: [], receivedBytes: 0, drains: 0 };
  connection.start({
    onData(bytes) {
      end.received.push(Uint8Array.from(bytes));
      end.receivedBytes += bytes.length;
      events.onData?.(bytes);
    },
    onDrain() {
      end.drains += 1;
    },
    onClose(cause) {
      assert.equal(end.closed, undefined, 'closed once');
      end.closed = { cause };
    },
  });
  return end;
}

const bytesOf = (end: End) => Buffer.concat(end.received);

async function until(site: Site, holds: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 10_000; round++) {
    if (holds()) return;
    await site.sleep(2);
  }
  assert.fail(`never: ${what}`);
}

/** A connected pair; `began` may keep the server's end from being started. */
async function pair(site: Site): Promise<{ listener: Listener; client: Connection; server: Connection }> {
  let accepted: Connection | undefined;
  const listener = await site.env.network.listen({ host: '0.0.0.0', port: 0 }, (connection) => {
    accepted = connection;
  });
  const client = await site.peer.network.connect({ host: site.host, port: listener.local.port }, 5000);
  await until(site, () => accepted !== undefined, 'accepted');
  assert.ok(accepted);
  return { listener, client, server: accepted };
}

const failsWith = (code: string) => (error: unknown) => {
  assert.equal((error as { name: string }).name, 'NetworkError');
  assert.equal((error as { code: string }).code, code);
  return true;
};

contract('the network', (holds) => {
  holds('bytes arrive in order and whole, in both directions', async (site) => {
    const { listener, client, server } = await pair(site);
    const [one, other] = [attach(client), attach(server)];
    const sent = Buffer.alloc(300_000, 'abcdefghijklmnopqrstuvwxyz0');
    for (let at = 0; at < sent.length; at += 10_000) client.write(sent.subarray(at, at + 10_000));
    server.writeAll([sent.subarray(0, 5), sent.subarray(5, 5), sent.subarray(5, 100_000)]);
    await until(site, () => other.receivedBytes === sent.length && one.receivedBytes === 100_000, 'all arrived');
    assert.ok(bytesOf(other).equals(sent));
    assert.ok(bytesOf(one).equals(sent.subarray(0, 100_000)));
    client.destroy();
    await until(site, () => one.closed !== undefined && other.closed !== undefined, 'both closed');
    await listener.close();
  });

  holds('the two ends name each other in numbers', async (site) => {
    const { listener, client, server } = await pair(site);
    assert.match(client.remote.host, /^[\d.]+$/);
    assert.match(server.remote.host, /^[\d.]+$/);
    assert.equal(client.remote.port, listener.local.port);
    assert.deepEqual(client.local, server.remote);
    client.destroy();
    server.destroy();
    await listener.close();
  });

  holds('what arrived before the start is delivered at the start', async (site) => {
    const { listener, client, server } = await pair(site);
    client.write(Buffer.from('early'));
    client.end();
    await site.sleep(20);
    const end = attach(server);
    await until(site, () => end.closed !== undefined, 'closed');
    assert.equal(bytesOf(end).toString(), 'early');
    attach(client);
    await listener.close();
  });

  holds('end sends what is queued, then closes both ends without a cause', async (site) => {
    const { listener, client, server } = await pair(site);
    const [one, other] = [attach(client), attach(server)];
    const sent = Buffer.alloc(2_000_000, 'xyz');
    client.write(sent);
    client.end();
    client.write(Buffer.from('too late'));
    await until(site, () => one.closed !== undefined && other.closed !== undefined, 'both closed');
    assert.ok(bytesOf(other).equals(sent));
    assert.equal(one.closed?.cause, undefined);
    assert.equal(other.closed?.cause, undefined);
    client.end();
    client.destroy();
    client.write(sent);
    await listener.close();
  });

  holds('destroy closes at once, with its cause on this side', async (site) => {
    const { listener, client, server } = await pair(site);
    const [one, other] = [attach(client), attach(server)];
    client.destroy(new Error('enough'));
    const closedWithinTheCall = one.closed !== undefined;
    assert.equal(closedWithinTheCall, false);
    await until(site, () => one.closed !== undefined && other.closed !== undefined, 'both closed');
    assert.equal(one.closed?.cause?.message, 'enough');
    assert.equal(one.received.length, 0);
    await listener.close();
  });

  holds('a connection that broke before its start tells so at the start', async (site) => {
    const { listener, client, server } = await pair(site);
    client.destroy();
    await site.sleep(20);
    const [one, other] = [attach(client), attach(server)];
    await until(site, () => one.closed !== undefined && other.closed !== undefined, 'both closed');
    await listener.close();
  });

  holds('who does not read holds the writer up, and drain tells when all is taken', async (site) => {
    const { listener, client, server } = await pair(site);
    const one = attach(client);
    const other = attach(server);
    server.pause();
    const sent = Buffer.alloc(16_000_000, 'q');
    client.write(sent);
    await site.sleep(50);
    assert.ok(client.pendingBytes > 0, 'the window is full');
    assert.equal(one.drains, 0);
    server.resume();
    await until(site, () => one.drains === 1, 'drained');
    assert.equal(client.pendingBytes, 0);
    await until(site, () => other.receivedBytes === sent.length, 'all read');
    client.destroy();
    await until(site, () => other.closed !== undefined, 'closed');
    await listener.close();
  });

  holds('a small write that is taken at once is not pending', async (site) => {
    const { listener, client, server } = await pair(site);
    attach(client);
    attach(server);
    client.write(Buffer.from('small'));
    assert.equal(client.pendingBytes, 0);
    client.destroy();
    await listener.close();
  });

  holds('a closed port refuses, and a port is bound once', async (site) => {
    const listener = await site.env.network.listen({ host: '0.0.0.0', port: 0 }, () => {});
    const { port } = listener.local;
    await assert.rejects(
      site.env.network.listen({ host: '0.0.0.0', port }, () => {}),
      failsWith('EADDRINUSE'),
    );
    await listener.close();
    await assert.rejects(site.peer.network.connect({ host: site.host, port }, 5000), failsWith('ECONNREFUSED'));
    await (await site.env.network.listen({ host: '0.0.0.0', port }, () => {})).close();
  });

  holds('open connections outlive their listener', async (site) => {
    const { listener, client, server } = await pair(site);
    await listener.close();
    const end = attach(server);
    attach(client);
    client.write(Buffer.from('still here'));
    await until(site, () => bytesOf(end).toString() === 'still here', 'arrived');
    client.destroy();
    await until(site, () => end.closed !== undefined, 'closed');
  });

  holds('names resolve to numbers, unknown ones to ENOTFOUND', async ({ env: { network } }) => {
    assert.deepEqual(await network.resolve('127.0.0.1'), ['127.0.0.1']);
    assert.ok((await network.resolve('localhost')).includes('127.0.0.1'));
    await assert.rejects(network.resolve('no-such-name.invalid'), failsWith('ENOTFOUND'));
  });

  holds('HTTP answers GET by path, and 500 when the answer fails', async (site) => {
    const { network } = site.env;
    const listener = await network.serveHttp({ host: '0.0.0.0', port: 0 }, async (path) => {
      if (path === '/broken') throw new Error('secret');
      return { status: path === '/health' ? 200 : 404, contentType: 'text/plain', body: `at ${path}` };
    });
    const { port } = listener.local;
    const get = (path: string) => site.peer.network.httpGet(`http://${site.host}:${port}${path}`, 5000);
    assert.deepEqual(await get('/health?full=1'), { status: 200, body: 'at /health' });
    assert.deepEqual(await get('/none'), { status: 404, body: 'at /none' });
    const broken = await get('/broken');
    assert.equal(broken.status, 500);
    assert.doesNotMatch(broken.body, /secret/);
    await listener.close();
    await assert.rejects(get('/health'), failsWith('ECONNREFUSED'));
  });

  holds('HTTP gives up in time', async (site) => {
    const listener = await site.env.network.serveHttp({ host: '0.0.0.0', port: 0 }, () => new Promise(() => {}));
    const url = `http://${site.host}:${listener.local.port}/`;
    await assert.rejects(site.peer.network.httpGet(url, 50), failsWith('ETIMEDOUT'));
    await listener.close();
  });
});
