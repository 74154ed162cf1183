/**
 * Puts into a store of its own, in one process, without a network: what the store alone costs.
 *
 *     node bench/store-put.ts [--messages 1000000] [--body 1024] [--queues 4] [--in-flight 256] [--sync] [--dir DIR]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { javaHash, readConfig } from '../src/common/mod.ts';
import { createNodeEnv } from '../src/io/node/mod.ts';
import { openStore, type Put, type PutResult, storeConfigRows } from '../src/store/mod.ts';

const { values: flags } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    body: { type: 'string', default: '1024' },
    queues: { type: 'string', default: '4' },
    'in-flight': { type: 'string', default: '256' },
    sync: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
  },
});
const messageCount = Number(flags.messages);
const queueCount = Number(flags.queues);
const inFlight = Number(flags['in-flight']);

const env = createNodeEnv({ log: { level: 'warn' } });
const directory = mkdtempSync(join(flags.dir, 'liftmq-store-put-'));
const { values: config } = readConfig(
  storeConfigRows,
  new Map([
    ['storePathRootDir', directory],
    ['flushDiskType', flags.sync ? 'SYNC_FLUSH' : 'ASYNC_FLUSH'],
    ['diskSpaceWarningLevelRatio', '90'],
  ]),
);
// Under synchronous flush the first segment gets its zeros.
const settleMs = flags.sync ? 3000 : 0;
const beforeOpen = performance.now();
const store = await openStore({ ...env, config, storeHost: { ip: new Uint8Array([127, 0, 0, 1]), port: 10911 } });
console.log(`open ${(performance.now() - beforeOpen).toFixed(1)} ms`);

await new Promise((resolve) => setTimeout(resolve, settleMs));

const body = Buffer.alloc(Number(flags.body), 'x');
const properties = Buffer.from(
  'UNIQ_KEY\u00017F0000010ABC18B4AAC2000000000001\u0002WAIT\u0001true\u0002CLUSTER\u0001DefaultCluster\u0002' +
    'MSG_REGION\u0001DefaultRegion\u0002TRACE_ON\u0001true\u0002',
);
let sent = 0;
let done = 0;
const refused = new Map<string, number>();
const latencies = new Float64Array(messageCount);

function putOf(number: number): Put {
  return {
    topic: 'bench',
    queueId: number % queueCount,
    flag: 0,
    sysFlag: 0,
    bornTimestampMs: 1_700_000_000_000,
    bornIp: new Uint8Array([127, 0, 0, 1]),
    bornPort: 40_000,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body,
    properties,
    tagsCode: 0,
    keyHashes: [javaHash(`bench#7F0000010ABC18B4AAC2${number.toString(16).padStart(12, '0')}`)],
    waitForDurable: true,
  };
}

const cpuBefore = process.cpuUsage();
const began = performance.now();
await new Promise<void>((resolve) => {
  const next = () => {
    const number = sent++;
    const at = performance.now();
    store.put(putOf(number), (result: PutResult) => {
      latencies[number] = performance.now() - at;
      if (result.status !== 'ok') refused.set(result.status, (refused.get(result.status) ?? 0) + 1);
      done += 1;
      if (done === messageCount) resolve();
      else if (waiting++ === 0) setImmediate(turn);
    });
  };
  let waiting = inFlight;
  // Answers open the way for the next puts in the next turn, as replies over a network would.
  const turn = () => {
    for (; waiting > 0 && sent < messageCount; waiting--) next();
  };
  turn();
});
const seconds = (performance.now() - began) / 1000;
const cpu = process.cpuUsage(cpuBefore);
latencies.sort();
const quantile = (q: number) => (latencies[Math.floor((messageCount - 1) * q)] * 1000).toFixed(0);
console.log(
  `${Math.round(messageCount / seconds)} puts/s, ${(((cpu.user + cpu.system) / messageCount) * 1).toFixed(2)} CPU-s per million, ` +
    `p50 ${quantile(0.5)} µs, p99 ${quantile(0.99)} µs, max ${quantile(1)} µs`,
);
for (const [status, count] of refused) console.log(`${count} × ${status}`);
const closing = performance.now();
await store.close();
console.log(
  `close ${(performance.now() - closing).toFixed(0)} ms, rss ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`,
);
rmSync(directory, { recursive: true, force: true });
process.exit(0);
