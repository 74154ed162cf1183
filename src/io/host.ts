/** The machine and the process, as facts. */
export interface HostInterface {
  name: string;
  address: string;
  family: 'ipv4' | 'ipv6';
  internal: boolean;
}

export interface Host {
  readonly pid: number;
  readonly hostname: string;
  readonly memoryTotalBytes: number;
  environment(name: string): string | undefined;
  interfaces(): HostInterface[];
  /** Minutes to add to UTC for local time at `wallMs`. */
  utcOffsetMinutes(wallMs: number): number;
  /** The soft limit of open files and how many are open; undefined where the system does not tell. */
  fileDescriptors(): { limit: number; open: number } | undefined;
  memory(): { residentBytes: number; heapBytes: number };
  cpuSeconds(): number;
  /** Event-loop delay since the last call, in ms; undefined where not measured. */
  eventLoopDelayMs(): { p50: number; p99: number; max: number } | undefined;
}
