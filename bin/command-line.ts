/** Commands and flags. What runs is loaded only once it is known that something runs: `--help` is quick. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseProperties } from '../src/common/mod.ts';
import type { Endpoint } from '../src/io/mod.ts';
import type { LogLevel } from '../src/io/node/mod.ts';
import { helloNameServer } from './announcement.ts';
import { StartFailure, sentenceOf } from './failure.ts';
import type { RoleName } from './serve.ts';
import type { Flags } from './settings.ts';
import type { DumpFlags, RecoverFlags, StoreFlags } from './store.ts';

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
  storeCommands(program);
  await program.parseAsync(argv);
}

/** Of a store that no broker has open; verify and dump also beside a running one. */
function storeCommands(program: Command): void {
  const store = program.command('store').description('look at the files of a store, and repair them');
  const common = (name: string, description: string): Command =>
    store
      .command(name)
      .description(description)
      .argument('<dir>', 'the directory of the store (storePathRootDir)')
      .option('--commit-log <dir>', 'where the log lies, when it is elsewhere (storePathCommitLog)')
      .option('-c, --config <file>', 'broker.conf, for a store with settings of its own (maxIndexNum …)')
      .option('--json', 'results as JSON');
  common('verify', 'check every record, queue and index entry; exit code 0 sound, 1 not, 2 could not look').action(
    async (directory: string, flags: StoreFlags) => (await import('./store.ts')).verify(directory, flags),
  );
  common('dump', 'show the records of the log, one a line')
    .option('--topic <name>', 'only of this topic')
    .option('--queue <id>', 'only of this queue id', readCount)
    .option('--from <offset>', 'from this queue offset on', readCount)
    .option('--to <offset>', 'below this queue offset', readCount)
    .option('--since <time>', 'stored at this time or later (2026-01-31T10:00:00Z, or ms)', readTime)
    .option('--until <time>', 'stored before this time', readTime)
    .option('--offset <number>', 'from this physical offset on', readCount)
    .option('--limit <count>', 'so many at most', readCount)
    .option('--body', 'with the body: text, in JSON base64')
    .action(async (directory: string, flags: DumpFlags) => (await import('./store.ts')).dump(directory, flags));
  common('recover', 'say what a repair would do, and with --yes do it; what is taken away is kept beside')
    .option('--cut <offset>', 'cut the log there, as a start said', readCount)
    .option('--rebuild', 'have queues and index built again from the log')
    .option('--yes', 'do it')
    .action(async (directory: string, flags: RecoverFlags) => (await import('./store.ts')).recover(directory, flags));
}

function readCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) throw new InvalidArgumentError('write a whole number');
  return count;
}

function readTime(text: string): number {
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('write a time like 2026-01-31T10:00:00Z, or milliseconds');
  return time;
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
