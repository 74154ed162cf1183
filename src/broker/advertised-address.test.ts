import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../io/mod.ts';
import { SimWorld } from '../testing/mod.ts';
import { findAdvertisedAddress } from './advertised-address.ts';

type HostInterface = ReturnType<Host['interfaces']>[number];

const loopback: HostInterface = { name: 'lo', address: '127.0.0.1', family: 'ipv4', internal: true };
const ipv6: HostInterface = { name: 'eth0', address: 'fe80::1', family: 'ipv6', internal: false };
const ipv4: HostInterface = { name: 'eth0', address: '192.168.1.7', family: 'ipv4', internal: false };

test('brokerIP1 counts first, then the address that it listens on, then what the machine has', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { env } = world.node('broker');
    world.network.names.set('public.example', '10.9.9.9');
    const find = (brokerIP1: string, bindAddress: string, interfaces: HostInterface[]) => {
      const host: Host = { ...env.host, interfaces: () => interfaces };
      return findAdvertisedAddress(brokerIP1, bindAddress, { host, network: env.network });
    };
    const all = [loopback, ipv6, ipv4];
    assert.deepEqual(await find('10.1.1.1', '0.0.0.0', all), { host: '10.1.1.1', ip: Uint8Array.of(10, 1, 1, 1) });
    assert.equal((await find('', '127.0.0.1', all)).host, '127.0.0.1');
    assert.equal((await find('', '0.0.0.0', all)).host, '192.168.1.7');
    assert.equal((await find('', '0.0.0.0', [loopback, ipv6])).host, '127.0.0.1');
    assert.equal((await find('', '::', [])).host, '127.0.0.1');
    assert.deepEqual(await find('public.example', '', all), {
      host: 'public.example',
      ip: Uint8Array.of(10, 9, 9, 9),
    });
    await assert.rejects(find('nowhere.example', '', all), /nowhere\.example/);
  });
});
