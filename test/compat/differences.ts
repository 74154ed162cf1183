// Where a client sees something else with LiftMQ than with Apache RocketMQ, on purpose. Each row has its reason in
// docs/differences.md; whatever is not listed here must be equal.

export type Difference = {
  /** `group/scenario` of the compatibility suite. */
  scenario: string;
  fact: string;
  ours: unknown;
};

export const differences: readonly Difference[] = [
  // A request in the binary encoding gets its answer in the binary encoding.
  // A batch whose bytes end in the middle of a message is an illegal message, not a failure of the broker.
  { scenario: 'core/refused-sends', fact: 'batch that is cut off', ours: 13 },
  { scenario: 'binary/header-encodings', fact: 'answer encoding', ours: 'ROCKETMQ' },
];
