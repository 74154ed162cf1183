import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigRow, changeConfig, parseProperties, readConfig } from './mod.ts';

const rows = [
  {
    name: 'listenPort',
    kind: 'i32',
    default: 10911,
    min: 0,
    max: 65535,
    mutable: false,
    status: 'supported',
    doc: 'Port.',
  },
  {
    name: 'fileReservedTime',
    kind: 'i32',
    unit: 'h',
    default: 72,
    min: 1,
    mutable: true,
    status: 'supported',
    doc: '',
  },
  {
    name: 'flushDiskType',
    kind: 'oneOf',
    choices: ['ASYNC_FLUSH', 'SYNC_FLUSH'],
    default: 'ASYNC_FLUSH',
    mutable: true,
    status: 'supported',
    doc: '',
  },
  {
    name: 'warmMapedFileEnable',
    kind: 'bool',
    default: false,
    mutable: false,
    status: { accepted: 'nothing is memory-mapped' },
    doc: '',
  },
  {
    name: 'storeType',
    kind: 'text',
    default: 'default',
    mutable: false,
    status: { refused: 'RocksDB stores cannot be read' },
    doc: '',
  },
] as const satisfies readonly ConfigRow[];

const read = (text: string) => readConfig(rows, parseProperties(text));

test('absent keys have their defaults, present ones their values, with their types', () => {
  const { values, warnings, refusals } = read('flushDiskType=SYNC_FLUSH\nlistenPort= 1 ');
  const flush: 'ASYNC_FLUSH' | 'SYNC_FLUSH' = values.flushDiskType;
  const port: number = values.listenPort;
  assert.deepEqual([flush, port, values.warmMapedFileEnable, values.storeType], ['SYNC_FLUSH', 1, false, 'default']);
  assert.deepEqual([warnings, refusals], [[], []]);
});

test('an unknown key is warned of, with the nearest name where one is near', () => {
  const { warnings } = read('listenprot=1\nsomethingElseEntirely=2');
  assert.deepEqual(warnings, ['unknown key listenprot: did you mean listenPort?', 'unknown key somethingElseEntirely']);
});

test('a key without effect is warned of, a refused one forbids the start; their defaults pass', () => {
  const { warnings, refusals } = read('warmMapedFileEnable=true\nstoreType=defaultRocksDB');
  assert.deepEqual(warnings, ['warmMapedFileEnable has no effect: nothing is memory-mapped']);
  assert.deepEqual(refusals, ['storeType=defaultRocksDB is not supported: RocksDB stores cannot be read']);
  assert.deepEqual(read('warmMapedFileEnable=FALSE\nstoreType=default').refusals, []);
});

test('values outside their kind or limits are refused with what would be right', () => {
  const { refusals } = read('listenPort=70000\nfileReservedTime=soon\nflushDiskType=NONE\nwarmMapedFileEnable=yes');
  assert.deepEqual(refusals, [
    'listenPort=70000: must be a whole number from 0 to 65535',
    'fileReservedTime=soon: must be a whole number from 1 to 2147483647 h',
    'flushDiskType=NONE: must be one of ASYNC_FLUSH, SYNC_FLUSH',
    'warmMapedFileEnable=yes: must be true or false',
  ]);
});

test('a change at run time happens whole or not at all', () => {
  const { values } = read('');
  const refusals = changeConfig(rows, values, parseProperties('fileReservedTime=48\nlistenPort=1\nnoSuchKey=1'));
  assert.deepEqual(refusals, ['listenPort can only be changed in the file, with a restart', 'unknown key noSuchKey']);
  assert.equal(values.fileReservedTime, 72);
  assert.deepEqual(changeConfig(rows, values, parseProperties('fileReservedTime=48\nlistenPort=10911')), []);
  assert.equal(values.fileReservedTime, 48);
});
