export type { TagExpression } from './tag-expression.ts';
export { parseTagExpression, tagsCodeMatcher } from './tag-expression.ts';
