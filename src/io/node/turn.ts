/**
 * Resolves after one turn of the real event loop, when every promise job queued by then has run. The simulation waits
 * for it between two events; nothing else needs it.
 */
export function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
