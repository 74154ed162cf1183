import type { Timer, Timers } from '../timers.ts';

/** Node turns longer delays into 1 ms. */
const delayMsMax = 2 ** 31 - 1;

export function createNodeTimers(): Timers {
  return {
    after: (delayMs, run) => startAfter(delayMs, run),
    every(periodMs, run) {
      const handle = setInterval(run, Math.min(periodMs, delayMsMax));
      return { cancel: () => clearInterval(handle) };
    },
    soon(run) {
      setImmediate(run);
    },
  };
}

/** A delay beyond Node's limit (25 days) is waited for in several legs. */
function startAfter(delayMs: number, run: () => void): Timer {
  let handle = startLeg(delayMs);
  function startLeg(leftMs: number): NodeJS.Timeout {
    if (leftMs <= delayMsMax) return setTimeout(run, Math.ceil(leftMs));
    return setTimeout(() => {
      handle = startLeg(leftMs - delayMsMax);
    }, delayMsMax);
  }
  return { cancel: () => clearTimeout(handle) };
}
