/** The store: commit log, consume queues, index (RocketMQ's formats, to the byte). */
export type {
  ArrivalListener,
  Get,
  GetResult,
  GetStatus,
  IndexQuery,
  MessageStore,
  Put,
  PutResult,
  PutStatus,
  StoreHealth,
} from './message-store.ts';
export { openStore, type StoreOptions } from './store.ts';
export { type StoreConfig, storeConfigRows } from './store-config.ts';
