/**
 * What a role runs with, from flags, environment, file and defaults, in this order of strength.
 *
 * Without a file everything stays on this machine: files below ./data, bound to loopback (and so advertised as it). With a
 * file the defaults are Apache RocketMQ's: files below the home directory, all interfaces.
 *
 * Every key can come from the environment: `brokerName` as LIFTMQ_BROKER_NAME, the name server's `listenPort` as
 * LIFTMQ_NAMESRV_LISTEN_PORT.
 */
export interface Flags {
  /** Text of the file given with -c. */
  readonly file: ReadonlyMap<string, string> | undefined;
  /** Path of that file. */
  readonly filePath: string | undefined;
  readonly data: string | undefined;
  readonly listen: string | undefined;
  /** `host:port;host:port` */
  readonly namesrv: string | undefined;
  /** Single keys; those of the name server begin with `namesrv.` where a broker runs too. */
  readonly set: ReadonlyMap<string, string>;
}

export interface Surroundings {
  readonly environment: (name: string) => string | undefined;
  readonly home: string;
  readonly workingDirectory: string;
}

type Properties = Map<string, string>;

/** The broker's properties, ready to be read by its table of `keys`. */
export function brokerProperties(keys: readonly string[], flags: Flags, around: Surroundings): Properties {
  const defaults: Properties = new Map([['storePathRootDir', `${filesRoot(flags, around)}/store`]]);
  if (flags.file === undefined) defaults.set('bindAddress', loopback);
  const byFlag = listenFlag(flags);
  if (flags.data !== undefined) byFlag.set('storePathRootDir', `${filesRoot(flags, around)}/store`);
  if (flags.namesrv !== undefined) byFlag.set('namesrvAddr', flags.namesrv);
  for (const [key, value] of flags.set) if (!key.startsWith(nameServerPrefix)) byFlag.set(key, value);
  return layered(defaults, flags.file, fromEnvironment('LIFTMQ_', keys, around), byFlag);
}

/** The name server's properties; the file counts only where it is the name server's own. */
export function nameServerProperties(
  keys: readonly string[],
  flags: Flags,
  around: Surroundings,
  role: 'alone' | 'beside a broker',
): Properties {
  const directory = `${filesRoot(flags, around)}/namesrv`;
  const ownFile = role === 'alone' ? flags.file : undefined;
  const defaults: Properties = new Map([
    ['kvConfigPath', `${directory}/kvConfig.json`],
    ['configStorePath', (role === 'alone' ? flags.filePath : undefined) ?? `${directory}/namesrv.properties`],
  ]);
  if (flags.file === undefined) defaults.set('bindAddress', loopback);
  const byFlag = listenFlag(flags);
  if (flags.data !== undefined) byFlag.set('kvConfigPath', `${directory}/kvConfig.json`);
  for (const [key, value] of flags.set) {
    if (key.startsWith(nameServerPrefix)) byFlag.set(key.slice(nameServerPrefix.length), value);
    else if (role === 'alone') byFlag.set(key, value);
  }
  return layered(defaults, ownFile, fromEnvironment('LIFTMQ_NAMESRV_', keys, around), byFlag);
}

/** `brokerIP1` → `BROKER_IP1`. */
export function environmentName(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

/** Whether an address means all interfaces. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host === 'localhost';
}

const nameServerPrefix = 'namesrv.';
const loopback = '127.0.0.1';

function filesRoot({ data, file }: Flags, { home, workingDirectory }: Surroundings): string {
  if (data !== undefined) return data.startsWith('/') ? data : `${workingDirectory}/${data.replace(/^\.\//, '')}`;
  return file === undefined ? `${workingDirectory}/data` : home;
}

function listenFlag({ listen }: Flags): Properties {
  return new Map(listen === undefined ? [] : [['bindAddress', listen]]);
}

function fromEnvironment(prefix: string, keys: readonly string[], { environment }: Surroundings): Properties {
  const found: Properties = new Map();
  for (const key of keys) {
    const value = environment(prefix + environmentName(key));
    if (value !== undefined) found.set(key, value);
  }
  return found;
}

/** Later ones win. */
function layered(...layers: (ReadonlyMap<string, string> | undefined)[]): Properties {
  return new Map(layers.flatMap((layer) => [...(layer ?? [])]));
}
