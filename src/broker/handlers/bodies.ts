import { JsonError, type JsonObject, parseLooseJson, writeLooseJson } from '../../common/mod.ts';
import { ResponseCode, ResponseError } from '../../remoting/mod.ts';
import { asObject } from '../json-state.ts';

/** JSON bodies of requests and answers. */

/** Throws ResponseError for what is no JSON object. */
export function readBody(body: Uint8Array): JsonObject {
  let problem = 'it is no object';
  try {
    const json = asObject(parseLooseJson(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')));
    if (json !== undefined) return json;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    problem = error.message;
  }
  throw new ResponseError(ResponseCode.SYSTEM_ERROR, `the body cannot be read as JSON: ${problem}`);
}

export function jsonBody(value: unknown): Uint8Array {
  return Buffer.from(writeLooseJson(value), 'utf8');
}
