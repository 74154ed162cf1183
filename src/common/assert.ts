/** We are wrong: a broken invariant of our own. Never thrown for what a client sent or what the disk did. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Stays on in production. `message` says the invariant that does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}
