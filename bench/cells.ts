/** What is measured: each cell is one load on a fresh server with an empty store. */
import type { Load } from './load.ts';
import type { Flush } from './servers.ts';

/** The aims of the project, as ratios LiftMQ to Apache; shown beside the results and never part of them. */
export interface Aims {
  readonly rate?: string;
  readonly cpu?: string;
  readonly latency?: string;
}

export interface LoadCell {
  readonly kind: 'load';
  readonly id: string;
  readonly title: string;
  readonly flush: Flush;
  readonly load: Load;
  /** 1 KiB messages that are there to be pulled. */
  readonly fillCount?: number;
  /** The quantile that the cell is about. */
  readonly quantile: 'p50' | 'p99';
  readonly aims: Aims;
}

/** Starts the server, sends one message, then leaves it alone. */
export interface IdleCell {
  readonly kind: 'idle';
  readonly id: string;
  readonly title: string;
}

export type Cell = LoadCell | IdleCell;

/**
 * No run stores more than 2 GB: the two warm-ups make about 0.5 GB, a measured run of a million 1 KiB messages 1.3 GB.
 * Apache ends on the clock, LiftMQ mostly on the count.
 */
const bounds = { countMax: 1_000_000, secondsMax: 8 } as const;

export const cells: readonly Cell[] = [
  {
    kind: 'load',
    id: 'send-8',
    title: 'send 1 KiB, 256 in flight on 8 connections',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'send', connections: 8, inFlight: 256, ...bounds },
    quantile: 'p99',
    aims: { rate: '≥ 6', cpu: '≤ 0.10', latency: '≤ 0.08' },
  },
  {
    kind: 'load',
    id: 'send-64',
    title: 'send 1 KiB, 256 in flight on 64 connections',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'send', connections: 64, inFlight: 256, ...bounds },
    quantile: 'p99',
    aims: { rate: '≥ 3', cpu: '≤ 0.15' },
  },
  {
    kind: 'load',
    id: 'send-128',
    title: 'send 128 B, 256 in flight on 1 connection',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'send', connections: 1, inFlight: 256, bodySize: 128, ...bounds, countMax: 2_500_000 },
    quantile: 'p99',
    aims: { rate: '≥ 5', cpu: '≤ 0.12' },
  },
  {
    kind: 'load',
    id: 'send-one',
    title: 'send 1 KiB, one in flight',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'send', connections: 1, inFlight: 1, ...bounds },
    quantile: 'p50',
    aims: { latency: '≤ 0.4' },
  },
  {
    kind: 'load',
    id: 'send-sync',
    title: 'send 1 KiB, synchronous flush, 256 in flight on 8 connections',
    flush: 'SYNC_FLUSH',
    load: { mode: 'send', connections: 8, inFlight: 256, ...bounds },
    quantile: 'p99',
    aims: { rate: '≥ 5', cpu: '≤ 0.10' },
  },
  {
    kind: 'load',
    id: 'pull',
    title: 'pull 32 × 1 KiB, hot, 64 in flight on 8 connections',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'pull', connections: 8, pullers: 64, countMax: 6_000_000, secondsMax: 6 },
    fillCount: 150_000,
    quantile: 'p99',
    aims: { rate: '≥ 2', cpu: '≤ 0.3' },
  },
  {
    kind: 'load',
    id: 'pull-behind',
    title: 'pull 32 × 1 KiB from a log of 1 GB, 64 in flight on 8 connections',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'pull', connections: 8, pullers: 64, countMax: 6_000_000, secondsMax: 6 },
    fillCount: 800_000,
    quantile: 'p99',
    aims: {},
  },
  {
    kind: 'load',
    id: 'mixed',
    title: 'send 1 KiB (256 in flight, 8 connections) and consume together',
    flush: 'ASYNC_FLUSH',
    load: { mode: 'mixed', connections: 8, inFlight: 256, pullers: 8, ...bounds },
    quantile: 'p99',
    aims: {},
  },
  { kind: 'idle', id: 'idle', title: 'start and idle' },
];
