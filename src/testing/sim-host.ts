import type { Host } from '../io/mod.ts';

export interface SimHostFacts {
  pid: number;
  hostname: string;
  address: string;
  memoryTotalBytes: number;
  environment: Readonly<Record<string, string>>;
  descriptorCountMax: number;
  descriptorsOpen: () => number;
}

export function createSimHost(facts: SimHostFacts): Host {
  return {
    pid: facts.pid,
    hostname: facts.hostname,
    memoryTotalBytes: facts.memoryTotalBytes,
    environment: (name) => facts.environment[name],
    interfaces: () => [
      { name: 'lo', address: '127.0.0.1', family: 'ipv4', internal: true },
      { name: 'eth0', address: facts.address, family: 'ipv4', internal: false },
    ],
    utcOffsetMinutes: () => 0,
    fileDescriptors: () => ({ limit: facts.descriptorCountMax, open: facts.descriptorsOpen() }),
    memory: () => ({ residentBytes: 64 * 1024 * 1024, heapBytes: 32 * 1024 * 1024 }),
    cpuSeconds: () => 0,
    eventLoopDelayMs: () => undefined,
  };
}
