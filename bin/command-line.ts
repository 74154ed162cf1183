/** Commands and flags. What runs is loaded only once it is known that something runs: `--help` is quick. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseProperties } from '../src/common/mod.ts';
import type { Endpoint } from '../src/io/mod.ts';
import type { LogLevel } from '../src/io/node/mod.ts';
import { helloNameServer } from './announcement.ts';
import { StartFailure, sentenceOf } from './failure.ts';
import type { RoleName } from './serve.ts';
import type { Flags } from './settings.ts';

/** Apache's port for metrics. */
const statusPortDefault = 5557;

interface ServeFlags {
  config?: string;
  data?: string;
  listen?: string;
  namesrv?: string;
  set: ReadonlyMap<string, string>;
  httpPort?: Endpoint;
  logLevel?: LogLevel;
}

export async function runCommand(argv: readonly string[]): Promise<void> {
  const program = new Command('liftmq')
    .description('A message broker that Apache RocketMQ 5.5 clients use unchanged.')
    .showHelpAfterError('(liftmq --help shows what there is)');
  roleCommand(program, 'start', 'name server and broker in one process', ['name server', 'broker']);
  roleCommand(program, 'namesrv', 'a name server alone', ['name server']);
  roleCommand(program, 'broker', 'a broker alone', ['broker']);
  program
    .command('hello')
    .description('send a few messages and receive them, to see that a broker works')
    .option('-n, --namesrv <addresses>', 'name servers, host:port;host:port', helloNameServer)
    .action(async ({ namesrv }: { namesrv: string }) => {
      const { hello } = await import('./hello.ts');
      await hello(namesrv.split(';'));
    });
  program
    .command('truncate')
    .description('cut a commit log that a start refuses as damaged; what follows the offset is lost')
    .requiredOption('--commit-log <dir>', 'directory of the commit log, inside the store unless --store says where')
    .requiredOption('--offset <number>', 'where to cut, as the start said', Number)
    .option('--store <dir>', 'directory of the store (storePathRootDir)')
    .action(async ({ commitLog, offset, store }: { commitLog: string; offset: number; store?: string }) => {
      const { truncate } = await import('./truncate.ts');
      await truncate(store ?? dirname(resolve(commitLog)), resolve(commitLog), offset);
    });
  await program.parseAsync(argv);
}

function roleCommand(program: Command, name: string, description: string, roles: readonly RoleName[]): void {
  const withBroker = roles.includes('broker');
  const command = program
    .command(name)
    .description(description)
    .option(
      '-c, --config <file>',
      withBroker
        ? 'broker.conf of Apache RocketMQ, unchanged; its defaults then count: ~/store, all interfaces'
        : 'namesrv.properties of Apache RocketMQ, unchanged; its defaults then count: ~/namesrv, all interfaces',
    )
    .addOption(new Option('--data <dir>', 'directory for all files (default without -c: ./data)').env('LIFTMQ_DATA'))
    .addOption(
      new Option('--listen <address>', 'address to listen on (default without -c: 127.0.0.1)').env('LIFTMQ_LISTEN'),
    )
    .addOption(
      new Option('-D, --set <key=value>', setDescription(roles)).argParser(addProperty).default(new Map(), 'none'),
    )
    .addOption(
      new Option('--http-port <[host:]port>', 'health and metrics; 0 for none (default: 127.0.0.1:5557)')
        .env('LIFTMQ_HTTP_PORT')
        .argParser(readEndpoint),
    )
    .addOption(
      new Option('--log-level <level>', 'least level that is logged (default: info, or warn on a terminal)')
        .env('LIFTMQ_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent']),
    )
    .action(async (flags: ServeFlags) => {
      try {
        const options = {
          roles,
          flags: settingsOf(flags),
          logLevel: flags.logLevel ?? (process.stdout.isTTY ? 'warn' : 'info'),
          status: statusOf(flags.httpPort),
        };
        const { serve } = await import('./serve.ts');
        await serve(options);
      } catch (error) {
        const sentence = sentenceOf(error);
        if (sentence === undefined) throw error;
        console.error(`liftmq: ${sentence}`);
        process.exitCode = 1;
      }
    });
  if (withBroker) command.option('-n, --namesrv <addresses>', 'name servers to register with, host:port;host:port');
}

function setDescription(roles: readonly RoleName[]): string {
  const one = 'one key of the configuration; may be repeated';
  return roles.length > 1 ? `${one}; namesrv.<key> is for the name server` : one;
}

function settingsOf({ config, data, listen, namesrv, set }: ServeFlags): Flags {
  return {
    file: config === undefined ? undefined : readProperties(config),
    filePath: config,
    data,
    listen,
    namesrv,
    set,
  };
}

function readProperties(path: string): ReadonlyMap<string, string> {
  try {
    return parseProperties(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new StartFailure(`the configuration file cannot be read: ${cause instanceof Error ? cause.message : cause}`);
  }
}

function statusOf(endpoint: Endpoint | undefined): { listen: Endpoint; chosen: boolean } | undefined {
  if (endpoint === undefined) return { listen: { host: '127.0.0.1', port: statusPortDefault }, chosen: false };
  return endpoint.port === 0 ? undefined : { listen: endpoint, chosen: true };
}

function addProperty(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const separator = text.indexOf('=');
  if (separator < 1) throw new InvalidArgumentError('write key=value');
  return new Map([...before, [text.slice(0, separator), text.slice(separator + 1)]]);
}

function readEndpoint(text: string): Endpoint {
  const separator = text.lastIndexOf(':');
  const port = Number(text.slice(separator + 1));
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('write a port, or host:port');
  return { host: separator < 0 ? '127.0.0.1' : text.slice(0, separator), port };
}
