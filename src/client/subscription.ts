import { parseTagExpression } from '../filter/mod.ts';
import { ClientError } from './client-error.ts';
import type { Subscription } from './heartbeat.ts';

/** A subscription by tags: `A || B`, or `*` for all. Throws ClientError 'invalid'. */
export function subscribeTo(topic: string, expression: string, nowMs: number): Subscription {
  const parsed = parseTagExpression(expression);
  if (parsed === undefined) throw new ClientError('invalid', `no tag in the expression '${expression}' for ${topic}`);
  return { topic, ...parsed, subVersion: nowMs, expressionType: 'TAG', classFilterMode: false };
}
