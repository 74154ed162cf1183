// One store that goes from broker to broker: each opens what the one before left, is read by the official client and
// the official tools, takes messages, lets groups consume, and ends by SIGTERM or SIGKILL. In between the files are
// read without any broker.

import assert from 'node:assert/strict';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type JsonObject, writeLooseJson } from '../../../src/common/mod.ts';
import { JavaClient } from '../scenarios.ts';
import { type Server, type Settings, type Stop, startApache, startLiftmq } from '../server.ts';
import { filesBelow } from '../store-files.ts';
import { type Acknowledged, assertHolds, assertKept, bodiesOf, type Census, takeCensus } from './census.ts';
import {
  addUnknownMembers,
  type ConfigFiles,
  committedIn,
  objectOf,
  readConfigFiles,
  withoutUnknownMembers,
} from './config-files.ts';

export type Stage = { broker: 'apache' | 'liftmq'; ip: '127.0.0.1' | '::1'; stop: Stop };

/** Small files of every kind, so that each rolls several times; the second delay lasts for a stage or two. */
const settings = {
  mappedFileSizeCommitLog: 64 * 1024,
  mappedFileSizeConsumeQueue: 20 * 16,
  maxHashSlotNum: 50,
  maxIndexNum: 200,
  maxMessageSize: 32 * 1024,
  messageDelayLevel: '1s 15s 1h',
  flushConsumerOffsetInterval: 1000,
  transactionTimeOut: 4000,
  transactionCheckInterval: 2000,
  transactionCheckMax: 1000,
  transactionOpBatchInterval: 500,
} satisfies Settings;
const shape = {
  segmentSize: settings.mappedFileSizeCommitLog,
  slotCount: settings.maxHashSlotNum,
  delayLevelsMs: [1000, 15_000, 3_600_000],
};
/** Until a timer goes off that is set in one stage of Apache's and served in another. */
const soonMs = 20_000;

const madeAnewIn: readonly number[] = [2, 3];
const consumedTopics = new Set(['Plain', 'Ordered', 'Batch', 'Compressed', 'Names']);
/** What LiftMQ does not serve yet: it leaves it exactly as it is. */
const untouched = [
  'timerwheel',
  'timerlog',
  'compaction',
  'rocksdbstore',
  'config/timercheck',
  'config/timermetrics',
  'config/transactionMetrics',
  'config/consumerFilter.json',
  'config/consumerOrderInfo.json',
  'config/messageRequestMode.json',
  'config/topicQueueMapping.json',
];

export class Sequence {
  readonly #servers: { readonly [name in Stage['broker']]: Server };
  readonly #client: JavaClient;
  readonly #storeDir: string;
  #number = 0;
  #last: { stage: Stage; census: Census; config: ConfigFiles } | undefined;
  readonly #acknowledged: Acknowledged[] = [];
  /** What the group was given so far, and may be given again after a kill, by `topic queueId`. */
  readonly #consumed = new Map<string, number>();
  /** Stages that left timers and half messages behind. */
  readonly #suspended: string[] = [];
  #timerDueAt = 0;
  #kills = 0;
  /** What the queues of the topic hold that is deleted and made anew on the way. */
  #passing: string[][] = [[], []];

  constructor(dir: string, port: number) {
    this.#storeDir = path.join(dir, 'store');
    const options = { dataDir: dir, settings };
    this.#servers = {
      apache: startApache({ ...options, dir: path.join(dir, 'apache'), port }),
      liftmq: startLiftmq({ ...options, dir: path.join(dir, 'liftmq'), port: port + 100 }),
    };
    this.#client = new JavaClient(path.join(dir, 'client'));
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#servers.apache.close(), this.#servers.liftmq.close()]);
  }

  /** Opens, reads, fills, consumes and ends. `isLast`: what waits for Apache is waited for, too. */
  async run(stage: Stage, t: TestContext, { isLast = false } = {}): Promise<void> {
    this.#number++;
    const number = String(this.#number);
    const server = this.#servers[stage.broker];
    server.configure({ brokerIP1: stage.ip, bindAddress: stage.ip === '::1' ? '::' : '127.0.0.1' });
    const carried = this.#prepare(stage);
    const times = [performance.now()];
    await server.start();
    times.push(performance.now());
    if (this.#last === undefined) {
      await this.#client.run(server, 'interchange-create', {});
    } else {
      await this.#read(server, this.#last);
    }
    times.push(performance.now());
    // Each broker finds what is left of the topic that the other one deleted, and deletes it in turn.
    const anew = madeAnewIn.includes(this.#number);
    const sent = await this.#client.run(server, 'interchange-send', { stage: number, anew });
    this.#acknowledged.push(...(sent.acknowledged as Acknowledged[]));
    this.#passing = sent.passing as string[][];
    times.push(performance.now());
    await this.#consume(server);
    times.push(performance.now());
    if (isLast) {
      await this.#settle(server);
    } else if (stage.broker === 'apache') {
      const popped = this.#suspended.length;
      const dueAt = performance.now() + soonMs;
      await this.#client.run(server, 'interchange-suspend', { stage: number, soonMs, popped });
      this.#suspended.push(number);
      this.#timerDueAt = dueAt;
    }
    times.push(performance.now());
    await server.stopBroker(stage.stop);
    const stoppedAt = performance.now();
    times.push(stoppedAt);
    const steps = ['start', 'read', 'send', 'consume', 'suspend', 'stop'];
    t.diagnostic(steps.map((step, i) => `${step} ${Math.round(times[i + 1] - times[i])} ms`).join(', '));
    this.#inspect(stage, carried, t);
    if (stoppedAt < this.#timerDueAt) {
      assert.ok(
        !bodiesOf(this.#last?.census, 'Timed').includes(`soon ${number}`),
        'the timer waits for the next broker',
      );
    }
  }

  /** Before LiftMQ comes: marks what it must carry through, and remembers what it must not touch. */
  #prepare(stage: Stage): Map<string, Buffer> {
    if (stage.broker === 'apache' || this.#last === undefined) {
      return new Map();
    }
    addUnknownMembers(this.#storeDir);
    return filesBelow(this.#storeDir, untouched);
  }

  /** What the broker shows is what the files held before it started. */
  async #read(server: Server, { census, config, stage }: { census: Census; config: ConfigFiles; stage: Stage }) {
    const committed = committedIn(config);
    const topics = objectOf(config.topics.topicConfigTable);
    const groups = objectOf(config.subscriptionGroup.subscriptionGroupTable);
    const keys = keysIn(census);
    const found = await this.#client.run(server, 'interchange-read', {
      queues: [...census.queues].map(([name, { length }]) => ({ ...queueOf(name), to: length })),
      keys: [...keys.values()].map(({ topic, key }) => ({ topic, key })),
      topics: Object.keys(topics),
      groups: Object.keys(groups),
      offsets: [...committed.keys()].map((name) => {
        const [, topic, group, queueId] = /^(.*?)@(.*) (\d+)$/.exec(name) ?? [];
        return { topic, group, queueId: Number(queueId) };
      }),
    });
    const queues = found.queues as Record<string, { min: number; max: number; records: unknown[] }>;
    for (const [name, records] of census.queues) {
      assert.equal(queues[name].min, 0, name);
      assert.ok(queues[name].max >= records.length, `${name} ends at ${queues[name].max}, not at ${records.length}`);
      assert.deepEqual(queues[name].records, records, name);
    }
    for (const [name, { offsets }] of keys) {
      const known = (found.byKey as Record<string, number[]>)[name].filter((offset) => offset < census.end);
      assert.deepEqual(known, offsets, `by key: ${name}`);
    }
    assert.deepEqual(comparable(found.topics), comparable(topics));
    assert.deepEqual(comparable(found.groups), comparable(groups));
    for (const [name, offset] of committed) {
      const now = (found.committed as Record<string, number>)[name];
      // Apache's own groups go on at once.
      assert.ok(now === offset || (now > offset && name.includes('@CID_RMQ_SYS_')), `${name}: ${now}, not ${offset}`);
    }
    // Whoever delivers goes on where the one before was. Killed brokers may have been further.
    for (const [level, offset] of Object.entries(objectOf(config.delayOffset.offsetTable ?? {}))) {
      const [done, max] = String((found.delays as Record<string, string>)[level] ?? '0,0').split(',');
      assert.ok(Number(done) >= Number(offset), `delay level ${level} is at ${done}, and was at ${offset}`);
      assert.ok(Number(max) >= (census.queues.get(`SCHEDULE_TOPIC_XXXX ${Number(level) - 1}`)?.length ?? 0));
    }
    const [first, second] = found.passing as string[][];
    assert.deepEqual(first, this.#passing[0], 'what the topic held that was made anew');
    // After a kill the log alone tells of a queue that the new topic does not have. Apache's broker brings its messages
    // back; ours does not, where it was the one that deleted the topic.
    if (this.#kills === 0) {
      assert.deepEqual(second, this.#passing[1]);
    }
    assert.ok(stage.stop === 'SIGKILL' || census.behind.units === 0);
  }

  /** The group is given all that is new to it, and after a clean stop nothing that is not. */
  async #consume(server: Server): Promise<void> {
    const census = takeCensus(this.#storeDir, shape);
    const queues = [...census.queues]
      .map(([name, { length }]) => ({ ...queueOf(name), from: this.#consumed.get(name) ?? 0, to: length }))
      .filter(({ topic }) => consumedTopics.has(topic));
    const { received } = await this.#client.run(server, 'interchange-consume', { queues });
    const messages = received as Acknowledged[];
    assertHolds(census, messages);
    const isSure = this.#last === undefined || this.#last.stage.stop === 'SIGTERM';
    for (const { topic, queueId, from, to } of queues) {
      const offsets = messages
        .filter((message) => message.topic === topic && message.queueId === queueId)
        .map(({ queueOffset }) => queueOffset)
        .sort((a, b) => a - b);
      const expected = Array.from({ length: to - from }, (_, i) => from + i);
      assert.deepEqual(isSure ? offsets : offsets.filter((at) => at >= from), expected, `${topic} ${queueId}`);
      this.#consumed.set(`${topic} ${queueId}`, to);
    }
    const sentBodies = new Map(this.#acknowledged.map(({ uniqueKey, bodyCrc }) => [uniqueKey, bodyCrc]));
    for (const { uniqueKey, bodyCrc } of messages) {
      assert.equal(bodyCrc, sentBodies.get(uniqueKey), `the body of ${uniqueKey} as its consumer has it`);
    }
  }

  async #settle(server: Server): Promise<void> {
    const found = await this.#client.run(server, 'interchange-settle', { stages: this.#suspended });
    const timed = found.timed as string[];
    const transactions = found.transactions as string[];
    for (const number of this.#suspended) {
      assert.ok(!timed.includes(`late ${number}`), 'a timer of an hour goes off at once');
      assert.ok(!transactions.includes(`ROLLBACK_MESSAGE ${number}`), 'what was rolled back is visible');
      assert.ok(transactions.includes(`COMMIT_MESSAGE ${number}`));
    }
    const delayed = found.delayed as string[];
    // A broker that is killed may have served something without a note of it.
    if (this.#kills === 0) {
      for (const bodies of [timed, transactions, delayed]) {
        assert.deepEqual(bodies, [...new Set(bodies)], 'nothing comes twice');
      }
    }
    for (let stage = 1; stage <= this.#number; stage++) {
      assert.ok(!delayed.includes(`delayed ${stage} 3`), 'a delay of an hour is over at once');
      assert.ok(delayed.includes(`delayed ${stage} 1`), `delayed ${stage} 1 is delivered`);
    }
  }

  #inspect(stage: Stage, carried: ReadonlyMap<string, Buffer>, t: TestContext): void {
    const census = takeCensus(this.#storeDir, shape);
    const config = readConfigFiles(this.#storeDir);
    t.diagnostic(
      `${census.records.length} records in ${census.segments} segments, ${census.queues.size} queues, ` +
        `${census.indexFiles} index files, behind: ${JSON.stringify(census.behind)}`,
    );
    if (this.#last !== undefined) {
      assertKept(this.#last.census, census);
      for (const [name, offset] of committedIn(this.#last.config)) {
        assert.ok((committedIn(config).get(name) ?? -1) >= offset, `${name} was at ${offset}`);
      }
    }
    assertHolds(census, this.#acknowledged);
    if (stage.stop === 'SIGTERM') {
      assert.deepEqual(census.behind, { units: 0, keys: 0 });
      for (const [name, offset] of this.#consumed) {
        const [topic, queueId] = splitQueue(name);
        assert.equal(committedIn(config).get(`${topic}@Readers ${queueId}`), offset, `what ${name} was consumed up to`);
      }
    } else {
      this.#kills++;
    }
    if (stage.broker === 'liftmq' && this.#last !== undefined) {
      const lacking = withoutUnknownMembers(config);
      assert.deepEqual(
        lacking.filter((name) => name !== 'topic Passing'),
        [],
      );
      const found = filesBelow(this.#storeDir, untouched);
      assert.deepEqual([...found.keys()], [...carried.keys()]);
      for (const [name, bytes] of carried) {
        assert.ok(found.get(name)?.equals(bytes), `${name} was touched`);
      }
    }
    this.#last = { stage, census, config };
  }
}

function splitQueue(name: string): [topic: string, queueId: number] {
  const space = name.lastIndexOf(' ');
  return [name.slice(0, space), Number(name.slice(space + 1))];
}

function queueOf(name: string): { topic: string; queueId: number } {
  const [topic, queueId] = splitQueue(name);
  return { topic, queueId };
}

/** By `topic key`: which messages the index must find. System topics change while they are read. */
function keysIn(census: Census): Map<string, { topic: string; key: string; offsets: number[] }> {
  const keys = new Map<string, { topic: string; key: string; offsets: number[] }>();
  for (const { topic, physicalOffset, properties } of census.records) {
    if (/^(rmq_sys_|RMQ_SYS_|TRANS_CHECK)/.test(topic)) {
      continue;
    }
    const texts = new Set([properties.UNIQ_KEY, ...(properties.KEYS ?? '').split(' ')]);
    for (const key of texts) {
      if (key === undefined || key === '') {
        continue;
      }
      const name = `${topic} ${key}`;
      const known = keys.get(name) ?? { topic, key, offsets: [] };
      known.offsets.push(physicalOffset);
      keys.set(name, known);
    }
  }
  return keys;
}

/** Each row as text, without what we added, and what a file need not have: what it lacks is a default. */
function comparable(rows: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(rows as JsonObject).map(([name, row]) => {
      const members = Object.entries(objectOf(row)).filter(([key]) => key !== 'unknownMember');
      return [name, writeLooseJson(Object.fromEntries(members))];
    }),
  );
}
