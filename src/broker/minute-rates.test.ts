import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MinuteRates } from './minute-rates.ts';

test('a rate is that of the last whole minute, or of as much as there was', () => {
  const rates = new MinuteRates();
  rates.count('a', 100);
  assert.equal(rates.perSecond('a'), 0);
  rates.nextWindow();
  assert.equal(rates.perSecond('a'), 10);
  rates.count('a', 50);
  rates.nextWindow();
  assert.equal(rates.perSecond('a'), 7.5);
  for (let i = 0; i < 4; i++) rates.nextWindow();
  assert.equal(rates.perSecond('a'), 2.5);
  rates.nextWindow();
  assert.equal(rates.perSecond('a'), 50 / 60);
  rates.nextWindow();
  assert.equal(rates.perSecond('a'), 0);
});

test('a key that comes late is measured over the same minute as the others', () => {
  const rates = new MinuteRates();
  for (let i = 0; i < 10; i++) rates.nextWindow();
  rates.count('late', 60);
  rates.nextWindow();
  assert.equal(rates.perSecond('late'), 1);
  assert.equal(rates.perSecond('never'), 0);
});
