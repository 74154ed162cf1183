/** Chance as an argument: seeded in simulation, the kernel's in production. */
export interface Random {
  /** A whole number, 0 <= n < `bound` (1 <= bound <= 2^32). */
  below(bound: number): number;
  /** 0 <= x < 1. */
  float(): number;
  /** `length` random bytes; fit for identifiers. */
  bytes(length: number): Uint8Array;
}
