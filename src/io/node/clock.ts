import type { Clock } from '../clock.ts';

export function createNodeClock(): Clock {
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
  };
}
