import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import type { Host } from '../host.ts';

/** How often the event loop's delay is sampled; its histogram counts this pause as part of every sample. */
const delayResolutionMs = 20;

export function createNodeHost(): Host {
  const delays = monitorEventLoopDelay({ resolution: delayResolutionMs });
  delays.enable();
  const delayMs = (ns: number) => Math.max(0, ns / 1e6 - delayResolutionMs);

  return {
    pid: process.pid,
    hostname: os.hostname(),
    memoryTotalBytes: os.totalmem(),
    environment: (name) => process.env[name],
    interfaces: () =>
      Object.entries(os.networkInterfaces()).flatMap(([name, addresses = []]) =>
        addresses.map(({ address, family, internal }) => ({
          name,
          address,
          family: family === 'IPv4' ? ('ipv4' as const) : ('ipv6' as const),
          internal,
        })),
      ),
    utcOffsetMinutes: (wallMs) => -new Date(wallMs).getTimezoneOffset(),
    fileDescriptors,
    memory() {
      const { rss, heapUsed } = process.memoryUsage();
      return { residentBytes: rss, heapBytes: heapUsed };
    },
    cpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    eventLoopDelayMs() {
      if (delays.count === 0) return undefined;
      const read = {
        p50: delayMs(delays.percentile(50)),
        p99: delayMs(delays.percentile(99)),
        max: delayMs(delays.max),
      };
      delays.reset();
      return read;
    },
  };
}

/** From /proc: Linux only. */
function fileDescriptors(): { limit: number; open: number } | undefined {
  try {
    const soft = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    if (soft === undefined) return undefined;
    // The listing itself holds one.
    const open = readdirSync('/proc/self/fd').length - 1;
    return { limit: soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft), open };
  } catch {
    return undefined;
  }
}
