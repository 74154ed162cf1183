import type { JsonObject, JsonValue } from '../common/mod.ts';
import { parseTagExpression, tagsCodeMatcher } from '../filter/mod.ts';
import type { Subscription } from './client-registry.ts';

/** Makes subscriptions of what clients send, in pulls as an expression and in heartbeats as a whole object. */

/** Tags are the default; everything else needs SQL92 filters. */
export function isTagType(expressionType: string | undefined): boolean {
  return expressionType === undefined || expressionType === '' || expressionType === 'TAG';
}

/** Undefined when the tag expression makes no sense (code 23). */
export function subscriptionOf(topic: string, expression: string, subVersion: number): Subscription | undefined {
  const parsed = parseTagExpression(expression);
  if (parsed === undefined) return undefined;
  return {
    topic,
    ...parsed,
    expressionType: 'TAG',
    subVersion,
    classFilterMode: false,
    accepts: tagsCodeMatcher(parsed),
  };
}

/** A member of a heartbeat's subscriptionDataSet; undefined when it names no topic. */
export function readSubscription(json: JsonObject): Subscription | undefined {
  if (typeof json.topic !== 'string' || json.topic === '') return undefined;
  const subString = typeof json.subString === 'string' ? json.subString : '*';
  const expressionType = typeof json.expressionType === 'string' ? json.expressionType : 'TAG';
  const tagsSet = listOf(json.tagsSet).filter((tag) => typeof tag === 'string');
  const codeSet = listOf(json.codeSet).filter((code) => typeof code === 'number');
  const classFilterMode = json.classFilterMode === true;
  const everything = classFilterMode || !isTagType(expressionType);
  return {
    topic: json.topic,
    subString,
    expressionType,
    subVersion: versionOf(json.subVersion),
    classFilterMode,
    tagsSet,
    codeSet,
    accepts: everything ? undefined : tagsCodeMatcher({ subString, codeSet }),
  };
}

function listOf(json: JsonValue | undefined): JsonValue[] {
  return Array.isArray(json) ? json : [];
}

function versionOf(json: JsonValue | undefined): number {
  if (typeof json === 'bigint') return Number.MAX_SAFE_INTEGER;
  return typeof json === 'number' ? json : 0;
}
