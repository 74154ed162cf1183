import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counter, gauge, prometheusText } from './metric.ts';

test('metrics are written with help and type, and label values are escaped', () => {
  assert.equal(
    prometheusText([gauge('open', 'Open ones.', 1.5, { path: 'a"b\\c\nd' })]),
    '# HELP open Open ones.\n# TYPE open gauge\nopen{path="a\\"b\\\\c\\nd"} 1.5\n',
  );
});

test('rows of one name stand together under one head', () => {
  const text = prometheusText([
    counter('requests_total', 'Requests.', 1, { role: 'namesrv' }),
    gauge('other', 'Other.', 0),
    counter('requests_total', 'Requests.', 2, { role: 'broker' }),
  ]);
  assert.equal(
    text,
    '# HELP requests_total Requests.\n# TYPE requests_total counter\n' +
      'requests_total{role="namesrv"} 1\nrequests_total{role="broker"} 2\n' +
      '# HELP other Other.\n# TYPE other gauge\nother 0\n',
  );
});
