import process from 'node:process';

/**
 * Resolves after one turn of the real event loop, when every promise job queued by then has run. The simulation waits
 * for it between two events; nothing else needs it.
 */
export function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Reports every promise that is rejected while nobody listens; the result ends that. For the simulation as well. */
export function watchRejections(report: (reason: unknown) => void): () => void {
  process.on('unhandledRejection', report);
  return () => {
    process.off('unhandledRejection', report);
  };
}
