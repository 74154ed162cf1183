/** What a person sees at the start: the addresses, what they mean, and a first thing to try. */
import type { Endpoint } from '../src/io/mod.ts';
import { isLoopback, isWildcard } from './settings.ts';

/** Where `liftmq hello` looks by itself. */
export const helloNameServer = '127.0.0.1:9876';

export interface Running {
  readonly version: string;
  readonly nameServer: { readonly listening: Endpoint } | undefined;
  readonly broker:
    | {
        readonly name: string;
        readonly cluster: string;
        readonly listening: Endpoint;
        /** What clients are told. */
        readonly advertised: string;
        readonly storePath: string;
        readonly nameServers: readonly string[];
      }
    | undefined;
  readonly status: Endpoint | undefined;
}

/** Apache's start lines included, which scripts wait for. */
export function announcement({ version, nameServer, broker, status }: Running): string {
  const lines = [`LiftMQ ${version}`];
  if (nameServer !== undefined) lines.push(`  name server  ${address(nameServer.listening)}`);
  if (broker !== undefined) {
    lines.push(
      `  broker       ${address(broker.listening)}, ${broker.name} of cluster ${broker.cluster}; clients are told ${broker.advertised}`,
      `  store        ${broker.storePath}`,
    );
  }
  if (status !== undefined) lines.push(`  status       http://${address(status)}/  (healthz, readyz, metrics)`);
  const open = broker?.listening ?? nameServer?.listening;
  if (open !== undefined && isLoopback(open.host)) {
    lines.push('Only this machine can connect; --listen 0.0.0.0 (or an address) opens it.');
  }
  if (nameServer !== undefined) {
    lines.push(`The Name Server boot success. serializeType=JSON, address ${address(nameServer.listening)}`);
  }
  if (broker !== undefined) {
    lines.push(
      `The broker[${broker.name}, ${broker.advertised}] boot success. serializeType=JSON and name server is ${broker.nameServers.join(';')}`,
    );
  }
  const dial = dialable(nameServer?.listening);
  if (dial !== undefined && broker !== undefined) {
    lines.push(`Clients: namesrvAddr=${dial}. A first thing to try, in another terminal: ${helloCommand(dial)}`);
  }
  return `${lines.join('\n')}\n`;
}

function helloCommand(nameServer: string): string {
  const fromSources = import.meta.url.endsWith('.ts');
  const command = fromSources ? 'npm run hello' : 'npx liftmq hello';
  if (nameServer === helloNameServer) return command;
  return `${command}${fromSources ? ' --' : ''} -n ${nameServer}`;
}

/** Where this machine reaches a listener. */
export function dialable(listening: Endpoint | undefined): string | undefined {
  if (listening === undefined) return undefined;
  return isWildcard(listening.host) ? `127.0.0.1:${listening.port}` : address(listening);
}

function address({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
