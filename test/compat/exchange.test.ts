// One store, two brokers in turn: LiftMQ writes it, Apache RocketMQ opens it and goes on, LiftMQ opens it again. Each
// time clients see what they saw before, and the message that was added.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { type Facts, runScenarios } from './scenarios.ts';
import { type ServerOptions, startApache, startLiftmq } from './server.ts';
import { missingToolchain } from './toolchain.ts';

const skip = missingToolchain() ?? false;

/** Small files, so that there are several of each kind. */
const settings = {
  mappedFileSizeCommitLog: 64 * 1024,
  mappedFileSizeConsumeQueue: 20 * 16,
  maxHashSlotNum: 50,
  maxIndexNum: 200,
  maxMessageSize: 32 * 1024,
};

async function run(options: ServerOptions, start: typeof startApache, scenarios: readonly string[]): Promise<Facts[]> {
  const server = start(options);
  await server.start();
  try {
    const outcomes = await runScenarios(server, { name: 'exchange', scenarios, threads: 1 }, { dir: options.dir });
    assert.deepEqual(
      outcomes.flatMap((outcome) => outcome.failures),
      [],
    );
    return outcomes.map((outcome) => outcome.facts);
  } finally {
    await server.close();
  }
}

/** What every server must show, without what the scenario itself adds to one queue. */
function withoutAddition(contents: Facts): unknown {
  const queues = { ...(contents.queues as Record<string, string>) };
  delete queues['Plain 0'];
  return { ...contents, queues, 'next offset': undefined };
}

test('a store goes from LiftMQ to Apache RocketMQ and back, and loses nothing', {
  skip,
  timeout: 240_000,
}, async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'liftmq-exchange-'));
  const options = { dir, port: 24_911, settings };
  const [, written] = await run(options, startLiftmq, ['store-load', 'store-contents']);
  const [byApache] = await run(options, startApache, ['store-contents']);
  const [again] = await run(options, startLiftmq, ['store-contents']);
  assert.match((written.queues as Record<string, string>)['Plain 1'], /^0…50, 50 messages/);
  assert.equal(written['next offset'], 50);
  assert.equal(byApache['next offset'], 51);
  assert.equal(again['next offset'], 52);
  assert.deepEqual(withoutAddition(byApache), withoutAddition(written));
  assert.deepEqual(withoutAddition(again), withoutAddition(written));
  rmSync(dir, { recursive: true, force: true });
});
