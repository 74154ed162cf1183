/** Reading of JSON that others wrote, as Java does: unknown members are ignored, missing or odd ones get a default. */
import { JsonError, type JsonObject, type JsonValue, parseLooseJson } from '../common/mod.ts';
import { ResponseCode, ResponseError } from '../remoting/mod.ts';

/** A request's body; undefined when it is empty. Throws ResponseError when it is not JSON. */
export function jsonBody(body: Uint8Array): JsonValue | undefined {
  if (body.length === 0) return undefined;
  try {
    return parseLooseJson(new TextDecoder().decode(body));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new ResponseError(ResponseCode.SYSTEM_ERROR, `the body is not JSON: ${error.message}`, error);
  }
}

export function memberOf(json: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(json) ? json[key] : undefined;
}

export function membersOf(json: JsonValue | undefined): [key: string, value: JsonValue][] {
  return isObject(json) ? Object.entries(json) : [];
}

export function itemsOf(json: JsonValue | undefined): JsonValue[] {
  return Array.isArray(json) ? json : [];
}

export function textAt(json: JsonValue | undefined, key: string): string | undefined {
  const value = memberOf(json, key);
  return typeof value === 'string' ? value : undefined;
}

/** Numbers, and numbers in quotes, which fastjson takes too. */
export function integerAt(json: JsonValue | undefined, key: string, otherwise: number): number {
  const value = memberOf(json, key);
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : otherwise;
}

export function booleanAt(json: JsonValue | undefined, key: string): boolean {
  const value = memberOf(json, key);
  return value === true || value === 'true';
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
