export { parseTagExpression, tagsCodeMatcher } from './tag-expression.ts';
