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
  { scenario: 'binary/header-encodings', fact: 'answer encoding', ours: 'ROCKETMQ' },
];
