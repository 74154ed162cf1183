import { assert } from './assert.ts';

/**
 * Writes JSON as RocketMQ's Java parts (fastjson2) do, so that Java and other clients read it:
 *
 * - keys of objects in alphabetical order; null and undefined members left out
 * - a Map with number keys: bare integer keys, ascending  `{0:"a",1:"b"}`  (`integerKeys: 'quoted'` for strict readers)
 * - a Map with object keys: objects as keys, in the map's order  `{{"queueId":0}:5}`
 * - a Map with string keys: alphabetical; a Set: an array
 */
interface WriteLooseJsonOptions {
  /** Default 'bare'. 'quoted' also turns object keys into strings, so that the result is standard JSON. */
  integerKeys?: 'bare' | 'quoted';
  /** Tabs and line feeds, as in RocketMQ's config files. */
  pretty?: boolean;
}

export function writeLooseJson(value: unknown, options: WriteLooseJsonOptions = {}): string {
  return write(value, options, '\n');
}

/** `lineStart` is a line feed and the indentation of the line on which the value begins. */
function write(value: unknown, options: WriteLooseJsonOptions, lineStart: string): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      assert(Number.isFinite(value), 'a number in JSON is finite');
      return String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'null';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return writeArray(value, options, lineStart);
      if (value instanceof Set) return writeArray([...value], options, lineStart);
      if (value instanceof Map) return writeMap(value, options, lineStart);
      return writeObject(value as Readonly<Record<string, unknown>>, options, lineStart);
    default:
      assert(false, `a ${typeof value} cannot be written as JSON`);
  }
}

function writeObject(
  object: Readonly<Record<string, unknown>>,
  options: WriteLooseJsonOptions,
  lineStart: string,
): string {
  const inner = options.pretty ? `${lineStart}\t` : lineStart;
  let text = '';
  for (const key of Object.keys(object).sort()) {
    const value = object[key];
    if (value === undefined || value === null) continue;
    if (text !== '') text += ',';
    if (options.pretty) text += inner;
    text += `${quote(key)}:${write(value, options, inner)}`;
  }
  return braces(text, options, lineStart);
}

function writeMap(map: ReadonlyMap<unknown, unknown>, options: WriteLooseJsonOptions, lineStart: string): string {
  const inner = options.pretty ? `${lineStart}\t` : lineStart;
  let text = '';
  for (const key of orderedKeys(map)) {
    const value = map.get(key);
    if (value === undefined || value === null) continue;
    if (text !== '') text += ',';
    if (options.pretty) text += inner;
    text += `${writeKey(key, options)}:${write(value, options, inner)}`;
  }
  return braces(text, options, lineStart);
}

function orderedKeys(map: ReadonlyMap<unknown, unknown>): unknown[] {
  const keys = [...map.keys()];
  if (keys.every((key) => typeof key === 'string')) return keys.sort();
  if (keys.every((key) => typeof key === 'number')) return keys.sort((a, b) => a - b);
  return keys;
}

function writeKey(key: unknown, options: WriteLooseJsonOptions): string {
  if (typeof key === 'string') return quote(key);
  const text = write(key, { ...options, pretty: false }, '\n');
  return options.integerKeys === 'quoted' ? quote(text) : text;
}

function braces(members: string, options: WriteLooseJsonOptions, lineStart: string): string {
  return options.pretty && members !== '' ? `{${members}${lineStart}}` : `{${members}}`;
}

function writeArray(array: readonly unknown[], options: WriteLooseJsonOptions, lineStart: string): string {
  const inner = options.pretty ? `${lineStart}\t` : lineStart;
  let text = '';
  for (const item of array) {
    if (text !== '') text += ',';
    if (options.pretty) text += inner;
    text += write(item, options, inner);
  }
  return options.pretty && text !== '' ? `[${text}${lineStart}]` : `[${text}]`;
}

const plainText = /^[ !#-;=?-[\]-~]*$/;

function quote(text: string): string {
  return plainText.test(text) ? `"${text}"` : JSON.stringify(text);
}
