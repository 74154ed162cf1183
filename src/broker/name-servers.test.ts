import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimWorld } from '../testing/mod.ts';
import { NameServers, type NameServersConfig } from './name-servers.ts';

const config: NameServersConfig = {
  namesrvAddr: '',
  fetchNamesrvAddrByAddressServer: false,
  fetchNameSrvAddrByDnsLookup: false,
  fetchNamesrvAddrInterval: 10_000,
  updateNameServerAddrPeriod: 120_000,
};

function inWorld(
  environment: Record<string, string>,
  run: (world: SimWorld, start: (changes: Partial<NameServersConfig>) => Promise<NameServers>) => Promise<void>,
) {
  return async () => {
    const world = new SimWorld({ seed: 1 });
    await world.run(async () => {
      const { env } = world.node('broker', { environment });
      await run(world, (changes) => NameServers.start({ ...config, ...changes }, env));
    });
  };
}

test(
  'the configuration counts before the environment',
  inWorld({ NAMESRV_ADDR: 'env:9876' }, async (_world, start) => {
    assert.deepEqual((await start({ namesrvAddr: ' a:1 ;b:2;a:1;' })).addresses, ['a:1', 'b:2']);
    assert.deepEqual((await start({})).addresses, ['env:9876']);
  }),
);

test(
  'without any there are none, and nothing is asked',
  inWorld({}, async (_world, start) => {
    assert.deepEqual((await start({})).addresses, []);
  }),
);

test(
  'the address endpoint is asked at start and every two minutes; a change is announced, a failure keeps what is known',
  inWorld({ 'rocketmq.namesrv.domain': 'names:8080' }, async (world, start) => {
    const { network } = world.node('names').env;
    let body = '10.0.0.8:9876;10.0.0.9:9876\nsecond line';
    const listener = await network.serveHttp({ host: '0.0.0.0', port: 8080 }, (path) => ({
      status: path === '/rocketmq/nsaddr' ? 200 : 404,
      contentType: 'text/plain',
      body,
    }));
    const servers = await start({ fetchNamesrvAddrByAddressServer: true });
    let changes = 0;
    servers.onChange(() => changes++);
    assert.deepEqual(servers.addresses, ['10.0.0.8:9876', '10.0.0.9:9876']);
    body = '10.0.0.9:9876';
    await world.sleep(121_000);
    assert.deepEqual([servers.addresses, changes], [['10.0.0.9:9876'], 1]);
    // Neither the same answer nor an empty one is a change.
    await world.sleep(120_000);
    body = '';
    await world.sleep(120_000);
    assert.deepEqual([servers.addresses, changes], [['10.0.0.9:9876'], 1]);
    await listener.close();
    await world.sleep(130_000);
    assert.deepEqual([servers.addresses, changes], [['10.0.0.9:9876'], 1]);
    servers.close();
  }),
);

test(
  'with look-up by DNS a name stands for its addresses, as they are now',
  inWorld({}, async (world, start) => {
    world.network.names.set('ns', '10.0.0.8');
    const servers = await start({ namesrvAddr: 'ns:9876', fetchNameSrvAddrByDnsLookup: true });
    assert.deepEqual(servers.addresses, ['10.0.0.8:9876']);
    world.network.names.set('ns', '10.0.0.9');
    await world.sleep(11_000);
    assert.deepEqual(servers.addresses, ['10.0.0.9:9876']);
    servers.close();
  }),
);
