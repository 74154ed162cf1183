import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerProperties, environmentName, type Flags, nameServerProperties, type Surroundings } from './settings.ts';

const noFlags: Flags = {
  file: undefined,
  filePath: undefined,
  data: undefined,
  listen: undefined,
  namesrv: undefined,
  set: new Map(),
};

function around(environment: Record<string, string> = {}): Surroundings {
  return { environment: (name) => environment[name], home: '/home/me', workingDirectory: '/srv/here' };
}

function broker(flags: Partial<Flags>, environment: Record<string, string> = {}): Record<string, string> {
  const keys = ['brokerName', 'listenPort', 'storePathRootDir', 'bindAddress', 'namesrvAddr'];
  return Object.fromEntries(brokerProperties(keys, { ...noFlags, ...flags }, around(environment)));
}

function nameServer(
  flags: Partial<Flags>,
  role: 'alone' | 'beside a broker',
  environment: Record<string, string> = {},
) {
  const keys = ['listenPort', 'bindAddress', 'kvConfigPath', 'configStorePath'];
  return Object.fromEntries(nameServerProperties(keys, { ...noFlags, ...flags }, around(environment), role));
}

const file = new Map([
  ['brokerName', 'from file'],
  ['listenPort', '1'],
]);

test('without a file everything stays on this machine, below ./data', () => {
  assert.deepEqual(broker({}), {
    storePathRootDir: '/srv/here/data/store',
    bindAddress: '127.0.0.1',
  });
  assert.deepEqual(nameServer({}, 'beside a broker'), {
    kvConfigPath: '/srv/here/data/namesrv/kvConfig.json',
    configStorePath: '/srv/here/data/namesrv/namesrv.properties',
    bindAddress: '127.0.0.1',
  });
});

test('with a file the defaults are those of Apache RocketMQ', () => {
  assert.deepEqual(broker({ file }), {
    storePathRootDir: '/home/me/store',
    brokerName: 'from file',
    listenPort: '1',
  });
});

test('flags are stronger than the environment, which is stronger than the file', () => {
  const environment = { LIFTMQ_BROKER_NAME: 'from environment', LIFTMQ_LISTEN_PORT: '2' };
  assert.equal(broker({ file }, environment).brokerName, 'from environment');
  const flagged = broker({ file, set: new Map([['brokerName', 'from flag']]) }, environment);
  assert.deepEqual([flagged.brokerName, flagged.listenPort], ['from flag', '2']);
});

test('--data moves the files, also against what the file says', () => {
  const stored = new Map([['storePathRootDir', '/elsewhere']]);
  assert.equal(broker({ file: stored }).storePathRootDir, '/elsewhere');
  assert.equal(broker({ file: stored, data: '/mine' }).storePathRootDir, '/mine/store');
  assert.equal(broker({ data: './mine' }).storePathRootDir, '/srv/here/mine/store');
  assert.equal(nameServer({ data: '/mine' }, 'alone').kvConfigPath, '/mine/namesrv/kvConfig.json');
});

test('--listen opens it', () => {
  assert.equal(broker({ listen: '0.0.0.0' }).bindAddress, '0.0.0.0');
  assert.equal(nameServer({ listen: '10.0.0.5' }, 'beside a broker').bindAddress, '10.0.0.5');
});

test("beside a broker the file is the broker's, and single keys for the name server carry its prefix", () => {
  const flags = { file, filePath: '/etc/broker.conf', set: new Map([['namesrv.listenPort', '3']]) };
  assert.deepEqual(nameServer(flags, 'beside a broker'), {
    kvConfigPath: '/home/me/namesrv/kvConfig.json',
    configStorePath: '/home/me/namesrv/namesrv.properties',
    listenPort: '3',
  });
  assert.equal(broker(flags).listenPort, '1');
  assert.equal(nameServer({}, 'beside a broker', { LIFTMQ_NAMESRV_LISTEN_PORT: '4' }).listenPort, '4');
});

test("alone, the file and the single keys are the name server's, and changes go to that file", () => {
  const set = new Map([['listenPort', '5']]);
  assert.deepEqual(nameServer({ file: new Map(), filePath: '/etc/namesrv.conf', set }, 'alone'), {
    kvConfigPath: '/home/me/namesrv/kvConfig.json',
    configStorePath: '/etc/namesrv.conf',
    listenPort: '5',
  });
});

test('keys become environment names', () => {
  assert.deepEqual(['brokerIP1', 'storePathRootDir'].map(environmentName), ['BROKER_IP1', 'STORE_PATH_ROOT_DIR']);
});
