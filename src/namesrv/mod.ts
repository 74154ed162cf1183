export type { NameServerConfig } from './config.ts';
export { nameServerConfigRows, readNameServerConfig } from './config.ts';
export type { NameServer, NameServerStats } from './name-server.ts';
export { startNameServer } from './name-server.ts';
