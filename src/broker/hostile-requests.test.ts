import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withBroker } from '../../test/broker/sim-broker.ts';
import type { Random } from '../io/mod.ts';
import { type CommandName, commands, type RequestOf } from '../remoting/mod.ts';

const texts = [
  ...['', 'T', 'g', '%RETRY%g', '%DLQ%g', 'TBW102', 'SCHEDULE_TOPIC_XXXX', 'a b', '../x', '日本', 'x'.repeat(300)],
  ...['*', 'A || B', '||', 'SQL92', 'UPPER', '__proto__', 'constructor', '+message.type=FIFO', '{"counter":1}'],
  ...['DELAY\u00013\u0002', 'DELAY\u00011e9\u0002', 'TAGS\u0001A\u0002KEYS\u0001k k2\u0002WAIT\u0001false\u0002'],
];
const numbers = [0, 1, 2, 8, 100, 65_536, -1, 2 ** 31 - 1, -(2 ** 31)];
const longs = [...numbers, 1e12, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
const leaves = [null, 1, -1, 1.5, 99_999_999_999, 'g', 'T', '*', true, [], {}];

class Chaos {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)];
  }

  header(name: CommandName): Record<string, unknown> {
    const header: Record<string, unknown> = {};
    for (const [field, { kind, required }] of Object.entries(commands[name].request)) {
      if (!required && this.#random.below(3) === 0) continue;
      if (kind === 'text') header[field] = this.of(texts);
      else if (kind === 'bool') header[field] = this.of([true, false]);
      else header[field] = this.of(kind === 'i32' ? numbers : longs);
    }
    return header;
  }

  /** Half right at best: what a handler expects, with something else in some places. */
  body(): string {
    const leaf = () => this.of(leaves);
    const orLeaf = (value: unknown) => (this.#random.below(3) === 0 ? leaf() : value);
    const subscription = { topic: orLeaf('T'), subString: leaf(), codeSet: leaf(), subVersion: leaf() };
    return this.of([
      () => '',
      () => '{',
      () => 'x'.repeat(this.#random.below(3000)),
      () => '\u0000\u0000\u0000\u0014'.repeat(this.#random.below(20)),
      () =>
        JSON.stringify({
          clientID: 'c',
          heartbeatFingerprint: leaf(),
          producerDataSet: orLeaf([{ groupName: leaf() }, leaf()]),
          consumerDataSet: orLeaf([{ groupName: orLeaf('g'), subscriptionDataSet: orLeaf([subscription, leaf()]) }]),
        }),
      () =>
        JSON.stringify({ consumerGroup: 'g', clientId: 'c', mqSet: orLeaf([leaf(), { topic: 'T', queueId: leaf() }]) }),
      () => JSON.stringify({ groupName: 'g', retryQueueNums: leaf(), retryMaxTimes: leaf(), attributes: leaf() }),
      () => JSON.stringify({ subscriptionData: orLeaf({ expressionType: leaf() }) }),
    ])();
  }
}

test('whatever comes, each request is answered, and the broker goes on and stops cleanly', async () => {
  for (const seed of [1, 2, 3]) {
    await withBroker(
      async ({ ask, send, world, restart }) => {
        const chaos = new Chaos(world.random);
        const served = (Object.keys(commands) as CommandName[]).filter(
          (name) => commands[name].to === 'broker' && commands[name].served,
        );
        await send();
        for (let i = 0; i < 1500; i++) {
          const name = chaos.of(served);
          const header = chaos.header(name) as RequestOf<CommandName>;
          // A pull may be held for long; nobody waits for it here.
          const answered = ask(name, header, { body: chaos.body(), timeoutMs: 30_000 }).catch(() => undefined);
          if (!name.toLowerCase().includes('pull')) assert.notEqual(await answered, undefined, name);
        }
        await world.sleep(40_000);
        await restart('stop');
        assert.equal((await send({ topic: 'after' })).code, 0);
      },
      { seed },
    )();
  }
});
