import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimWorld } from '../testing/mod.ts';
import { createCounters } from './counters.ts';
import { plainTopic, topicOf } from './topic.ts';
import { Traffic } from './traffic.ts';

test('rates are counted over ten seconds, a minute and ten minutes; totals by local day', async () => {
  // 23:50 UTC, one hour later here: 00:50 of the next day.
  const world = new SimWorld({ seed: 1, startWallMs: Date.UTC(2026, 0, 1, 22, 50) });
  await world.run(async () => {
    const { clock, timers } = world.node('broker').env;
    const counters = createCounters();
    const traffic = new Traffic(counters, { all: () => [] }, { clock, timers, utcOffsetMinutes: () => 60 });
    assert.deepEqual(traffic.rates('messagesInTotal'), [0, 0, 0]);
    counters.messagesInTotal = 600;
    await world.sleep(10_001);
    assert.deepEqual(traffic.rates('messagesInTotal'), [60, 60, 60]);
    await world.sleep(590_000);
    assert.deepEqual(traffic.rates('messagesInTotal'), [0, 0, 1]);
    counters.pullsFoundTotal = 100;
    counters.pullsMissedTotal = 20;
    await world.sleep(10_000);
    assert.deepEqual(traffic.rates('pullsFoundTotal', 'pullsMissedTotal'), [12, 2, 0.2]);
    assert.deepEqual(traffic.dayTotals('messagesInTotal'), { yesterdayMorning: 0, todayMorning: 600, now: 600 });
    counters.messagesInTotal = 700;
    await world.sleep(86_400_000);
    assert.deepEqual(traffic.dayTotals('messagesInTotal'), { yesterdayMorning: 600, todayMorning: 700, now: 700 });
    traffic.close();
  }, 200_000_000);
});

test('what comes into a topic counts once, in the minute in which it came', async () => {
  const world = new SimWorld({ seed: 1 });
  await world.run(async () => {
    const { clock, timers } = world.node('broker').env;
    const topic = topicOf(plainTopic('T', 1));
    const topics = { all: () => [topic] };
    const traffic = new Traffic(createCounters(), topics, { clock, timers, utcOffsetMinutes: () => 0 });
    topic.counters.messagesIn = 60;
    traffic.pulled('g', 'T', 30);
    await world.sleep(10_001);
    assert.deepEqual([traffic.topicPutRate('T'), traffic.groupGetRate('g', 'T')], [6, 3]);
    await world.sleep(10_000);
    assert.deepEqual([traffic.topicPutRate('T'), traffic.groupGetRate('g', 'T')], [3, 1.5]);
    assert.equal(traffic.groupGetRate('other', 'T'), 0);
    traffic.close();
  });
});
