// Our broker on a store in which everything waits for its time: delays of an hour are served when the hour is over, and
// what only Apache's broker serves (timers, half messages, popped messages) is left for it exactly as it was.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Broker, readBrokerConfig, startBroker } from '../../src/broker/mod.ts';
import { parseLooseJson, writeLooseJson } from '../../src/common/mod.ts';
import { createNodeEnv } from '../../src/io/node/mod.ts';
import { logRecords } from '../compat/store-files.ts';
import { readManifest, unpackGolden } from './golden-files.ts';

const untouched = [
  'timerwheel',
  'timerlog',
  'config/timercheck',
  'config/timermetrics',
  'config/transactionMetrics',
  'config/consumerFilter.json',
  'config/consumerOrderInfo.json',
];

/** `afterMs` is the time between the last record and the start. */
function start(directory: string, afterMs: number): Promise<Broker> {
  const properties = {
    storePathRootDir: directory,
    mappedFileSizeCommitLog: 64 * 1024,
    mappedFileSizeConsumeQueue: 20 * 16,
    maxHashSlotNum: 50,
    maxIndexNum: 200,
    maxMessageSize: 32 * 1024,
    messageDelayLevel: '1s 2s 1h',
    listenPort: 0,
    bindAddress: '127.0.0.1',
    brokerName: 'broker-a',
    brokerIP1: '127.0.0.1',
  };
  const { values, refusals } = readBrokerConfig(
    new Map(Object.entries(properties).map(([name, value]) => [name, String(value)])),
  );
  assert.deepEqual(refusals, []);
  const env = createNodeEnv({ log: { level: 'silent' } });
  const startedMs = env.clock.monotonicMs();
  const clock = {
    monotonicMs: () => env.clock.monotonicMs(),
    wallMs: () => last.storeTimestampMs + afterMs + Math.floor(env.clock.monotonicMs() - startedMs),
  };
  return startBroker({ ...env, clock }, { config: values });
}

const [last] = readManifest('store-waiting').slice(-1);

async function inGolden(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = unpackGolden('store-waiting');
  try {
    const before = untouchedIn(directory);
    assert.ok(before.size > untouched.length);
    await body(directory);
    assert.deepEqual(untouchedIn(directory), before);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test('a broker over a store in which everything waits leaves it as it was', () =>
  inGolden(async (directory) => {
    const config = configIn(directory);
    const broker = await start(directory, 1000);
    assert.equal(broker.stats().store.maxPhysicalOffset, last.physicalOffset + last.sizeBytes);
    await broker.close();
    assert.deepEqual(configIn(directory), config);
  }));

test('what a Java broker was to deliver after an hour is delivered after an hour', () =>
  inGolden(async (directory) => {
    const broker = await start(directory, 3_600_000);
    while (broker.stats().counters.delayedDeliveredTotal < 3) await sleep(10);
    await broker.close();
    const delivered = [...logRecords(directory)].filter(({ physicalOffset }) => physicalOffset > last.physicalOffset);
    assert.deepEqual(
      delivered.map(({ topic, queueOffset }) => `${topic} ${queueOffset}`),
      ['Delayed 1', 'Delayed 2', '%RETRY%Retried 0'],
    );
    assert.equal(configIn(directory)['delayOffset offsetTable 3'], '3');
  }));

function untouchedIn(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of untouched) {
    const isDirectory = statSync(path.join(directory, name)).isDirectory();
    const files = isDirectory ? readdirSync(path.join(directory, name)).map((file) => `${name}/${file}`) : [name];
    for (const file of files) found.set(file, readFileSync(path.join(directory, file), 'latin1'));
  }
  return found;
}

/** Each row of each table as text; versions go up. */
function configIn(directory: string): Record<string, string> {
  const rows: Record<string, string> = {};
  for (const name of ['topics', 'subscriptionGroup', 'consumerOffset', 'delayOffset']) {
    const json = parseLooseJson(readFileSync(path.join(directory, 'config', `${name}.json`), 'utf8'));
    for (const [table, members] of Object.entries(json ?? {})) {
      if (table === 'dataVersion') continue;
      for (const [key, row] of Object.entries(members ?? {})) rows[`${name} ${table} ${key}`] = writeLooseJson(row);
    }
  }
  return rows;
}
