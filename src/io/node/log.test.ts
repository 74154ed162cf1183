import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNodeLog } from './log.ts';

function linesOf(work: (destination: { write(line: string): void }) => void): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  work({ write: (line) => lines.push(JSON.parse(line)) });
  return lines;
}

test('a line has its level as a word, its event, its fields and its sentence', () => {
  const [line, ...others] = linesOf((destination) => {
    createNodeLog({ destination }).info('store.recovered', { records: 3, event: 'not this' }, 'recovered the log');
  });
  assert.deepEqual(others, []);
  assert.match(String(line?.time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    { ...line, time: '' },
    {
      level: 'info',
      time: '',
      records: 3,
      event: 'store.recovered',
      msg: 'recovered the log',
    },
  );
});

test('lines below the level are not written', () => {
  const lines = linesOf((destination) => {
    const log = createNodeLog({ level: 'warn', destination });
    log.debug('a', {}, '');
    log.info('b', {}, '');
    log.warn('c', {}, '');
    log.error('d', {}, '');
  });
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['c', 'd'],
  );
});

test('an error is written with its message, its stack and its causes', () => {
  const [line] = linesOf((destination) => {
    const cause = new Error('EIO');
    createNodeLog({ destination }).error('store.failed', { error: new Error('sync failed', { cause }) }, 'stopped');
  });
  const error = line?.error as { message: string; stack: string; cause: { message: string } };
  assert.equal(error.message, 'sync failed');
  assert.match(error.stack, /log\.test/);
  assert.equal(error.cause.message, 'EIO');
});
