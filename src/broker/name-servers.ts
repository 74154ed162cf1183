import type { Host, Log, Network, Timer, Timers } from '../io/mod.ts';

/**
 * Where the name servers are: `namesrvAddr` of the configuration, else NAMESRV_ADDR, else (when asked for) the answer of
 * an HTTP address endpoint, whose first line is `host:port;host:port`. With look-up by DNS each name stands for all its
 * addresses (RocketMQ: BrokerOuterAPI, TopAddressing, MixAll.getWSAddr).
 */
export interface NameServersConfig {
  readonly namesrvAddr: string;
  readonly fetchNamesrvAddrByAddressServer: boolean;
  readonly fetchNameSrvAddrByDnsLookup: boolean;
  readonly fetchNamesrvAddrInterval: number;
  readonly updateNameServerAddrPeriod: number;
}

/** Name servers that a broker registers with; more are left out. */
const nameServersMax = 64;
const httpTimeoutMs = 3000;

export class NameServers {
  readonly #ports: { network: Network; timers: Timers; host: Host; log: Log };
  #addresses: readonly string[] = [];
  #repeating: Timer | undefined;
  #changed: () => void = () => {};

  private constructor(ports: { network: Network; timers: Timers; host: Host; log: Log }) {
    this.#ports = ports;
  }

  /** Resolves when they were looked for once, found or not. */
  static async start(
    config: NameServersConfig,
    ports: { network: Network; timers: Timers; host: Host; log: Log },
  ): Promise<NameServers> {
    const servers = new NameServers(ports);
    const configured = config.namesrvAddr || (ports.host.environment('NAMESRV_ADDR') ?? '');
    if (configured !== '' && !config.fetchNameSrvAddrByDnsLookup) {
      servers.#addresses = parseList(configured);
    } else if (configured !== '') {
      await servers.#follow(config.fetchNamesrvAddrInterval, () => servers.#lookUp(configured));
    } else if (config.fetchNamesrvAddrByAddressServer) {
      await servers.#follow(config.updateNameServerAddrPeriod, () => servers.#ask());
    }
    return servers;
  }

  /** `host:port`, as known now. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Called when the list is another one. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  close(): void {
    this.#repeating?.cancel();
  }

  async #follow(periodMs: number, find: () => Promise<string[]>): Promise<void> {
    const refresh = async () => {
      try {
        const found = await find();
        if (found.length === 0 || found.join(';') === this.#addresses.join(';')) return;
        this.#addresses = found;
        this.#ports.log.info('broker.name-servers', { addresses: found }, `name servers: ${found.join(', ')}`);
        this.#changed();
      } catch (cause) {
        const kept = this.#addresses.length;
        this.#ports.log.warn('broker.name-servers-unknown', { cause }, `no name servers found, keeping ${kept} known`);
      }
    };
    await refresh();
    this.#repeating = this.#ports.timers.every(periodMs, () => void refresh());
  }

  async #lookUp(list: string): Promise<string[]> {
    const found = new Set<string>();
    for (const address of parseList(list)) {
      const at = address.lastIndexOf(':');
      for (const ip of await this.#ports.network.resolve(address.slice(0, at))) found.add(ip + address.slice(at));
    }
    return [...found].sort().slice(0, nameServersMax);
  }

  async #ask(): Promise<string[]> {
    const { host, network } = this.#ports;
    const domain = host.environment('rocketmq.namesrv.domain') ?? 'jmenv.tbsite.net';
    const group = host.environment('rocketmq.namesrv.domain.subgroup') ?? 'nsaddr';
    const url = `http://${domain.includes(':') ? domain : `${domain}:8080`}/rocketmq/${group}`;
    const reply = await network.httpGet(url, httpTimeoutMs);
    if (reply.status !== 200) throw new Error(`${url} answers ${reply.status}`);
    return parseList(reply.body.trim().split(/\r?\n/)[0]);
  }
}

function parseList(text: string): string[] {
  const addresses = text.split(';').map((part) => part.trim());
  return [...new Set(addresses.filter((part) => part !== ''))].slice(0, nameServersMax);
}
