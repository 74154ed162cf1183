/**
 * Who forms which broker: a broker name is a group of up to a few addresses, by broker id (0 is the master), and a
 * cluster is a set of broker names. Plain tables; the rules of joining and leaving are in `registration.ts`.
 */
export interface BrokerGroup {
  /** The cluster that it first registered with. */
  readonly cluster: string;
  readonly brokerName: string;
  /** Broker id → `host:port`. Never empty. */
  readonly addresses: Map<number, string>;
  /** The lowest id may stand in for a lost master. */
  actingMaster: boolean;
  zoneName: string | undefined;
}

export class BrokerGroups {
  readonly #groups = new Map<string, BrokerGroup>();
  readonly #clusters = new Map<string, Set<string>>();

  /** The group, made when it is new, as a member of `cluster`. The caller adds an address at once. */
  join(cluster: string, brokerName: string): BrokerGroup {
    const names = this.#clusters.get(cluster);
    if (names === undefined) this.#clusters.set(cluster, new Set([brokerName]));
    else names.add(brokerName);
    let group = this.#groups.get(brokerName);
    if (group === undefined) {
      group = { cluster, brokerName, addresses: new Map(), actingMaster: false, zoneName: undefined };
      this.#groups.set(brokerName, group);
    }
    return group;
  }

  /** Forgets a group whose last address has gone, also as a member of any cluster. */
  remove(brokerName: string): void {
    this.#groups.delete(brokerName);
    for (const [cluster, names] of this.#clusters) {
      if (names.delete(brokerName) && names.size === 0) this.#clusters.delete(cluster);
    }
  }

  get(brokerName: string): BrokerGroup | undefined {
    return this.#groups.get(brokerName);
  }

  /** Broker names of a cluster; empty for an unknown one. */
  namesIn(cluster: string): ReadonlySet<string> {
    return this.#clusters.get(cluster) ?? new Set();
  }

  groups(): Iterable<BrokerGroup> {
    return this.#groups.values();
  }

  clusters(): Iterable<[cluster: string, brokerNames: ReadonlySet<string>]> {
    return this.#clusters;
  }
}

export function minBrokerId(group: BrokerGroup): number {
  return Math.min(...group.addresses.keys());
}
