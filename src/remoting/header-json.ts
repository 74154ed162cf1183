/**
 * The JSON header, read by the general path:
 *
 *     {"code":105,"extFields":{"topic":"T"},"flag":0,"language":"JAVA","opaque":0,
 *      "remark":"…","serializeTypeCurrentRPC":"JSON","version":513}
 *
 * Tolerated as in RocketMQ: any order and white space, unknown keys, absent keys (0 or nothing), null for absent, and
 * numbers or booleans as values in extFields, which are kept as the text that was sent. Of equal keys the last counts.
 * Refused: everything that is not JSON, numbers that are no int32 where one is needed, objects inside extFields, and
 * more nesting or fields than the limits allow.
 */
import { FrameError } from './frame.ts';
import type { HeaderLimits, RemotingHeader } from './header.ts';

export function decodeJsonHeader(bytes: Buffer, start: number, end: number, limits: HeaderLimits): RemotingHeader {
  checkDepth(bytes, start, end, limits.headerDepthMax);
  const text = bytes.toString('utf8', start, end);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new FrameError('a header that is not JSON', { cause });
  }
  if (!isObject(parsed)) throw new FrameError('a JSON header that is not an object');
  let values = own(parsed, 'extFields');
  if (isObject(values) && Object.values(values).some((value) => typeof value === 'number')) {
    // Rare, and slower: once more, with the numbers as they were sent.
    values = (JSON.parse(text, numbersAsText) as Record<string, unknown>).extFields;
  }
  return {
    code: int32Of(parsed, 'code'),
    language: textOf(parsed, 'language'),
    version: int32Of(parsed, 'version'),
    opaque: int32Of(parsed, 'opaque'),
    flag: int32Of(parsed, 'flag'),
    remark: textOf(parsed, 'remark'),
    extFields: extFieldsOf(values, limits.headerFieldsMax),
  };
}

/** Numbers stay the text that was sent, so that 64 bits survive and nothing is rounded. */
function numbersAsText(_key: string, value: unknown, context?: { source: string }): unknown {
  return typeof value === 'number' && context !== undefined ? context.source : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own keys only: `__proto__` and `constructor` are names like others. */
function own(parsed: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(parsed, key) ? parsed[key] : undefined;
}

function int32Of(parsed: Record<string, unknown>, key: string): number {
  const value = own(parsed, key);
  if (value === undefined || value === null) return 0;
  const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || number !== (number | 0))
    throw new FrameError(`a header whose ${key} is not a 32-bit number`);
  return number | 0;
}

function textOf(parsed: Record<string, unknown>, key: string): string | undefined {
  const value = own(parsed, key);
  return typeof value === 'string' ? value : undefined;
}

function extFieldsOf(value: unknown, fieldsMax: number): Map<string, string> {
  const fields = new Map<string, string>();
  if (value === undefined || value === null) return fields;
  if (!isObject(value)) throw new FrameError('a header whose extFields is not an object');
  const entries = Object.entries(value);
  if (entries.length > fieldsMax) {
    throw new FrameError(`a header with ${entries.length} extFields: the limit is ${fieldsMax}`);
  }
  for (const [name, field] of entries) {
    if (typeof field === 'string') fields.set(name, field);
    else if (typeof field === 'boolean') fields.set(name, field ? 'true' : 'false');
    else if (field !== null) throw new FrameError(`a header whose extFields hold an object: ${name.slice(0, 64)}`);
  }
  return fields;
}

/** Before parsing, because a parser's memory grows with the nesting. */
function checkDepth(bytes: Buffer, start: number, end: number, depthMax: number): void {
  let depth = 0;
  let inText = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (inText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > depthMax) throw new FrameError(`a header nested deeper than ${depthMax}`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}
