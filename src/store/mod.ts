/** The store: commit log, consume queues, index (RocketMQ's formats, to the byte). */

export type { DumpFilter } from './dump.ts';
export { dumpStore } from './dump.ts';
export type {
  Get,
  GetResult,
  GetStatus,
  MessageStore,
  Put,
  PutResult,
  PutStatus,
  StoreHealth,
} from './message-store.ts';
export { type CutPlan, cutLog, forgetDerived, planCut } from './repair.ts';
export { openStore } from './store.ts';
export { storeConfigRows } from './store-config.ts';
export { openStoreFiles, type StoreFiles, StoreToolError } from './store-files.ts';
export { type Findings, isSound, verifyStore } from './verify.ts';
