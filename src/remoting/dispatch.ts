/** Which handler answers which request code, at a server's main or VIP entrance or at a client. */
import { ResponseCode } from './codes.ts';
import type { CommandName, Role } from './commands.ts';
import type { FieldValues } from './field-values.ts';
import type { HeaderView, PartialHandlers } from './handler.ts';
import { HotRow } from './hot-row.ts';
import { type PreparedCommand, preparedByCode, preparedCommand } from './rows.ts';

/** A reply as the writer sees it, whatever its command. */
export interface AnyReply {
  readonly code?: number;
  readonly remark?: string | undefined;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly values?: FieldValues | undefined;
  readonly extra?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | readonly Uint8Array[] | undefined;
  readonly taken?: (() => void) | undefined;
}

/** Why a request does not reach a handler. */
export interface Refusal {
  readonly code: number;
  readonly remark: string;
}

type Outcome = AnyReply | Promise<AnyReply> | undefined;
type HotRun = (header: HeaderView, body: Uint8Array, call: unknown) => Outcome;
type PlainRun = (
  header: Readonly<Record<string, unknown>>,
  body: Uint8Array,
  call: unknown,
  extra: ReadonlyMap<string, string>,
) => Outcome;

export interface Entry {
  readonly command: PreparedCommand;
  /** One of the two: the row's `hot` decides. */
  readonly hot: { readonly row: HotRow; readonly run: HotRun } | undefined;
  readonly plain: PlainRun | undefined;
  /** Served at the VIP entrance too. */
  readonly vip: boolean;
  requests: number;
}

/** Long polls keep off the VIP port, which is for sends (RocketMQ: BrokerController, fastRemotingServer). */
const notAtVip: ReadonlySet<CommandName> = new Set<CommandName>([
  'pullMessage',
  'litePullMessage',
  'popMessage',
  'popLiteMessage',
  'peekMessage',
  'notification',
  'pollingInfo',
]);

const roleNames: Readonly<Record<Role, string>> = {
  broker: 'a broker',
  namesrv: 'the name server',
  client: 'a client',
  controller: 'the controller',
  container: 'a broker container',
};

export class Dispatch {
  readonly entries: readonly Entry[];
  readonly #byCode = new Map<number, Entry>();

  constructor(handlers: PartialHandlers<Role>) {
    this.entries = Object.entries(handlers).map(([name, handler]) => {
      const command = preparedCommand(name as CommandName);
      const hot = command.row.hot === true;
      return {
        command,
        hot: hot ? { row: new HotRow(command), run: handler as unknown as HotRun } : undefined,
        plain: hot ? undefined : (handler as unknown as PlainRun),
        vip: !notAtVip.has(command.command),
        requests: 0,
      };
    });
    for (const entry of this.entries) this.#byCode.set(entry.command.row.code, entry);
  }

  get hotRows(): HotRow[] {
    return this.entries.flatMap(({ hot }) => (hot === undefined ? [] : [hot.row]));
  }

  entry(code: number): Entry | undefined {
    return this.#byCode.get(code);
  }
}

/** The answer to a code that nothing here serves: says which it is, and where it belongs. */
export function notSupported(code: number, entrance: 'main' | 'vip'): Refusal {
  const known = preparedByCode(code);
  const remark =
    known === undefined
      ? `request type ${code} not supported: no such code in RocketMQ 5.5`
      : entrance === 'vip' && notAtVip.has(known.command)
        ? `request type ${code} (${known.row.name}) not supported at the VIP port: use the broker's main port`
        : `request type ${code} (${known.row.name}) not supported here: it is for ${roleNames[known.row.to]}${
            known.row.served ? '' : ', and LiftMQ does not serve it yet'
          }`;
  return { code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark };
}
