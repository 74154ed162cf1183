import { javaHash } from '../common/mod.ts';

/**
 * Tag subscriptions: `A || B`, or everything with `*`, nothing or blanks. The broker compares hashes only, as its
 * queue entries hold no more; the exact comparison is the client's (RocketMQ: FilterAPI, ExpressionMessageFilter).
 */
interface TagExpression {
  /** The expression, `*` where everything is meant. */
  subString: string;
  /** Without doubles, in the order of the expression; empty when everything is meant. */
  tagsSet: string[];
  /** The Java hashes of the tags, without doubles. */
  codeSet: number[];
}

/**
 * Undefined for bars and nothing else (`||`): Apache answers code 23, SUBSCRIPTION_PARSE_FAILED. Bars with blanks
 * between them are accepted there, and match nothing.
 */
export function parseTagExpression(expression: string | null | undefined): TagExpression | undefined {
  if (expression === null || expression === undefined || expression === '' || expression === '*') {
    return { subString: '*', tagsSet: [], codeSet: [] };
  }
  const tags = new Set<string>();
  const parts = expression.split('||');
  if (parts.every((part) => part === '')) return undefined;
  for (const part of parts) {
    const tag = part.trim();
    if (tag !== '') tags.add(tag);
  }
  return { subString: expression, tagsSet: [...tags], codeSet: [...new Set([...tags].map(javaHash))] };
}

/** Whether a queue entry's tags code may belong to the subscription; undefined when all do. */
export function tagsCodeMatcher(subscription: {
  subString: string;
  codeSet: Iterable<number>;
}): ((tagsCode: number) => boolean) | undefined {
  if (subscription.subString === '*') return undefined;
  const codes = new Set(subscription.codeSet);
  const [first] = codes;
  // The common case, without a look-up.
  if (codes.size === 1) return (tagsCode) => tagsCode === first;
  return (tagsCode) => codes.has(tagsCode);
}
