export { createRemotingClient, type RemotingClientOptions } from './client.ts';
export type { RemotingClient, RemotingFailure } from './client-api.ts';
export { RemotingError } from './client-api.ts';
export { ResponseCode, ResponseError } from './codes.ts';
export type {
  Access,
  Action,
  Command,
  CommandName,
  RequestOf,
  Resource,
  ResponseOf,
  Role,
  ServedBy,
} from './commands.ts';
export { commands } from './commands.ts';
export type { FieldValue } from './field-values.ts';
export type {
  Call,
  Handler,
  Handlers,
  HandlersOf,
  HeaderView,
  HotHandler,
  PartialHandlers,
  Peer,
  Reply,
  Response,
} from './handler.ts';
export type { RemotingLimits } from './limits.ts';
export { responseSlotsOf, slotsOf } from './rows.ts';
export { type RemotingServerOptions, startRemotingServer } from './server.ts';
export type { RemotingServer, RemotingServerStats } from './server-api.ts';
