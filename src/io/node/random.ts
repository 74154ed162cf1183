import { randomBytes, randomInt } from 'node:crypto';
import type { Random } from '../random.ts';

/** The widest range that `randomInt` takes. */
const floatSteps = 2 ** 48 - 1;

/** The kernel's chance, through Node's pool: unbiased, and fit for identifiers. */
export function createNodeRandom(): Random {
  return {
    below: (bound) => randomInt(bound),
    float: () => randomInt(floatSteps) / floatSteps,
    bytes: (length) => new Uint8Array(randomBytes(length)),
  };
}
