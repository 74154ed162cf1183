import type { CommandName, HotCommand, RequestOf, ResponseOf, Role, ServedBy } from './commands.ts';
import type { FieldValues } from './field-values.ts';

/** The other end of a connection, as handlers see it. */
export interface Peer {
  /** Unique in its server while it lives. */
  readonly id: number;
  /** The client's numeric address (after PROXY protocol), without brackets. */
  readonly host: string;
  readonly port: number;
  /** The same address as 4 or 16 bytes. */
  readonly ip: Uint8Array;
  /** Sends a request to the client and waits for its answer. Rejects with RemotingError (timeout, closed). */
  request<K extends CommandName>(
    name: K,
    header: RequestOf<K>,
    body: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<Response<K>>;
  /** Sends a one-way request to the client; dropped when the connection is gone. */
  notify<K extends CommandName>(name: K, header: RequestOf<K>, body?: Uint8Array): void;
  /** Runs once when the connection is gone, whoever closed it; at once if it is gone already. */
  onClose(run: () => void): void;
  close(reason: string): void;
}

/** A decoded response: `code` 0 is success; `fields` holds what the row names, `extra` every extField as text. */
export interface Response<K extends CommandName> {
  readonly code: number;
  readonly remark: string | undefined;
  readonly fields: Partial<ResponseOf<K>>;
  readonly extra: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly version: number;
}

export interface Reply<K extends CommandName> {
  /** Default 0, success. */
  code?: number;
  remark?: string | undefined;
  fields?: Partial<ResponseOf<K>>;
  /**
   * The fields by slot (`responseSlotsOf`) in place of `fields`: for answers to hot commands, since it is read during
   * the call only, and one list serves all.
   */
  values?: FieldValues | undefined;
  /**
   * extFields beyond the row, as text (MSG_REGION, TRACE_ON, IS_SUB_CHANGE…). Not changed once given: answers with the
   * same object are written faster.
   */
  extra?: Readonly<Record<string, string>> | undefined;
  /** One chunk or several that are sent gathered, without copying; kept unchanged until `taken` runs. */
  body?: Uint8Array | readonly Uint8Array[] | undefined;
  /** Runs when the system has taken the body (or the connection is gone). */
  taken?: (() => void) | undefined;
}

/** What every request carries besides its header. Valid as long as the handler needs it. */
export interface Call<K extends CommandName> {
  readonly name: K;
  readonly opaque: number;
  /** The client's version code (remoting.md 1.6). */
  readonly version: number;
  readonly language: string | undefined;
  readonly oneway: boolean;
  readonly peer: Peer;
  /** The port that it came in on: 'main', or 'vip' (listen port − 2). */
  readonly entrance: 'main' | 'vip';
  /** Answers a call whose handler returned `undefined`. Once; ignored for one-way calls and gone connections. */
  reply(reply: Reply<K>): void;
}

/**
 * A handler of an ordinary command. `extra` holds all extFields as text, also those that the row does not name.
 * `body` is valid during the synchronous part only, unless copied. It returns the reply, a promise of it, or
 * `undefined` when it will call `call.reply` itself. A thrown ResponseError becomes its code and remark; anything else
 * is logged and answered with code 1.
 */
export type Handler<K extends CommandName> = (
  header: RequestOf<K>,
  body: Uint8Array,
  call: Call<K>,
  extra: ReadonlyMap<string, string>,
) => Reply<K> | Promise<Reply<K>> | undefined;

/**
 * The header of a hot command, read in place. A slot is a field's place in the row (`slotsOf('sendMessageV2').topic`).
 * Valid during the synchronous part of the handler only. Readers of absent required fields throw ResponseError in
 * `strict` rows and give 0, '' or false elsewhere.
 */
export interface HeaderView {
  has(slot: number): boolean;
  /** A new string. */
  text(slot: number): string;
  /** A string from a bounded cache: for names that recur (topics, groups). */
  name(slot: number): string;
  i32(slot: number): number;
  i64(slot: number): number;
  bool(slot: number): boolean;
  /**
   * Writes the field's UTF-8 bytes, unescaped, to `target` from `at` on, and gives their number; when it is larger than
   * what was free there, not all were written.
   */
  copy(slot: number, target: Buffer, at: number): number;
}

export type HotHandler<K extends CommandName> = (
  header: HeaderView,
  body: Uint8Array,
  call: Call<K>,
) => Reply<K> | Promise<Reply<K>> | undefined;

/** One handler for each command that the role serves: neither more nor fewer compile. */
export type Handlers<R extends Role> = {
  readonly [K in ServedBy<R>]: K extends HotCommand ? HotHandler<K> : Handler<K>;
};

/** Requests that a server may send to us on our own connection (broker → client). Unlisted ones answer code 3. */
export type PartialHandlers<R extends Role> = Partial<Handlers<R>>;

/** Names of a role's subset, for a file that holds one family of handlers. */
export type HandlersOf<R extends Role, K extends ServedBy<R>> = Pick<Handlers<R>, K>;
