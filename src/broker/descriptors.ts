import type { Host, Log } from '../io/mod.ts';

/** Descriptors that are kept for the log, the index and connections. */
const descriptorsReserved = 128;
/** A limit below it is reported at start: each connection and each busy queue takes one. */
const descriptorsWanted = 4096;

export function reportDescriptors({ host, log }: { host: Host; log: Log }): void {
  const limit = host.fileDescriptors()?.limit ?? descriptorsWanted;
  if (limit >= descriptorsWanted) return;
  log.warn(
    'broker.descriptors-low',
    { limit, wanted: descriptorsWanted },
    `only ${limit} files and connections may be open at once: raise the limit (ulimit -n), better to 65536 or more`,
  );
}

/**
 * Out of descriptors, new queues could not be opened, and their messages would be acknowledged but never found (Apache
 * goes on there): new queues are refused instead.
 */
export function descriptorRefusal({ host }: { host: Host }): string | undefined {
  const descriptors = host.fileDescriptors();
  if (descriptors === undefined) return undefined;
  const { limit, open } = descriptors;
  if (limit - open >= descriptorsReserved) return undefined;
  return `no new queues: ${open} of ${limit} file descriptors are open; raise the limit (ulimit -n)`;
}
