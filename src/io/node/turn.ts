import process from 'node:process';

/** Steps between two looks of the real event loop at its signals and timers. */
const stepsPerTurn = 2000;

/**
 * Node's own way to run what is queued for the end of a callback: ticks and promise jobs, until none is left. Not
 * documented, so another Node may lack it: then a whole turn of the event loop does the same for some microseconds more.
 */
const runJobs: unknown = Reflect.get(process, '_tickCallback');

/**
 * Calls `step` again and again until it says false; before each call every promise job queued by then has run. Rejects
 * when `step` throws. The simulation runs on it; nothing else needs it.
 */
export function runSteps(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = () => {
      try {
        for (let count = typeof runJobs === 'function' ? stepsPerTurn : 1; count > 0; count--) {
          if (typeof runJobs === 'function') runJobs.call(process);
          if (!step()) {
            resolve();
            return;
          }
        }
      } catch (error) {
        reject(error);
        return;
      }
      setImmediate(turn);
    };
    setImmediate(turn);
  });
}

/** Reports every promise that is rejected while nobody listens; the result ends that. For the simulation as well. */
export function watchRejections(report: (reason: unknown) => void): () => void {
  process.on('unhandledRejection', report);
  return () => {
    process.off('unhandledRejection', report);
  };
}
