export type { Clock } from './clock.ts';
export type {
  DirectoryEntry,
  DirectoryLock,
  Disk,
  DiskErrorCode,
  DiskSpace,
  File,
  FileStat,
  OpenMode,
} from './disk.ts';
export { DiskError } from './disk.ts';
export { makeDurableDirectory } from './durable-directory.ts';
export type { Env } from './env.ts';
export type { Host, HostInterface } from './host.ts';
export type { Log } from './log.ts';
export type { Connection, ConnectionEvents, Endpoint, HttpReply, Listener, Network } from './network.ts';
export { NetworkError } from './network.ts';
export type { Random } from './random.ts';
export { readStateFile, StateFile } from './state-file.ts';
export type { Timer, Timers } from './timers.ts';
export type { Workers, WorkerTask } from './workers.ts';
