/** The store: commit log, consume queues, index (RocketMQ's formats, to the byte). */
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
export { openStore } from './store.ts';
export { storeConfigRows } from './store-config.ts';
export { truncateLog } from './truncate-log.ts';
