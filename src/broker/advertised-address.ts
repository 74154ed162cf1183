import { ipBytes } from '../common/mod.ts';
import type { Host, Log, Network } from '../io/mod.ts';

/**
 * The address that name servers hand to clients: `brokerIP1`, or the address that it listens on where that is one, or the
 * first IPv4 address of the machine that is not loopback, or loopback (RocketMQ: NetworkUtil.getLocalAddress).
 */
export interface AdvertisedAddress {
  /** As configured: a name stays a name. */
  readonly host: string;
  /** What message ids and records carry. */
  readonly ip: Uint8Array;
}

const everywhere: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);
const dialTimeoutMs = 3_000;

export async function findAdvertisedAddress(
  brokerIP1: string,
  bindAddress: string,
  ports: { host: Host; network: Network },
): Promise<AdvertisedAddress> {
  const host = brokerIP1 || (everywhere.has(bindAddress) ? detect(ports.host) : bindAddress);
  const numeric = ipBytes(host);
  if (numeric !== undefined) return { host, ip: numeric };
  const [first] = await ports.network.resolve(host);
  const resolved = first === undefined ? undefined : ipBytes(first);
  if (resolved === undefined) {
    throw new Error(`the advertised address ${host} has no IP address: set brokerIP1 to one that clients can reach`);
  }
  return { host, ip: resolved };
}

function detect(host: Host): string {
  const ipv4 = host.interfaces().filter(({ family }) => family === 'ipv4');
  return ipv4.find(({ internal }) => !internal)?.address ?? '127.0.0.1';
}

/** Dials itself as clients will; a failure is only reported, since the way from here may differ from theirs. */
export async function checkAdvertisedAddress(
  endpoint: { host: string; port: number },
  ports: { network: Network; log: Log },
): Promise<void> {
  try {
    const connection = await ports.network.connect(endpoint, dialTimeoutMs);
    connection.destroy();
  } catch (cause) {
    ports.log.warn(
      'broker.advertised-address-unreachable',
      { ...endpoint, cause },
      `${endpoint.host}:${endpoint.port} is what clients are told, but it cannot be reached from here: check brokerIP1`,
    );
  }
}
