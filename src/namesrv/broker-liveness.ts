import type { DataVersion } from './data-version.ts';

/** What the name server needs of the connection that a broker registered on. */
export interface BrokerConnection {
  /** Grows from connection to connection, so that of two the younger is known. */
  readonly id: number;
  close(reason: string): void;
  /** Runs once when it is gone; at once if it is gone already. */
  onClose(run: () => void): void;
}

/** One broker process, known by its cluster and address. */
export interface LiveBroker {
  readonly cluster: string;
  readonly address: string;
  readonly brokerName: string;
  readonly brokerId: number;
  readonly haServerAddress: string;
  readonly dataVersion: DataVersion;
  /** It is lost when nothing was heard from it for this long. */
  readonly heartbeatTimeoutMs: number;
  readonly connection: BrokerConnection;
  readonly filterServers: readonly string[];
  /** Monotonic. */
  lastHeardMs: number;
}

/** When each broker was last heard of. */
export class BrokerLiveness {
  readonly #brokers = new Map<string, LiveBroker>();

  get size(): number {
    return this.#brokers.size;
  }

  get(cluster: string, address: string): LiveBroker | undefined {
    return this.#brokers.get(brokerKey(cluster, address));
  }

  set(broker: LiveBroker): void {
    this.#brokers.set(brokerKey(broker.cluster, broker.address), broker);
  }

  remove(cluster: string, address: string): void {
    this.#brokers.delete(brokerKey(cluster, address));
  }

  /** A sign of life; of an unknown broker it means nothing. */
  heard(cluster: string, address: string, nowMs: number): void {
    const broker = this.get(cluster, address);
    if (broker !== undefined) broker.lastHeardMs = nowMs;
  }

  /** Those that were silent for longer than they promised. */
  expired(nowMs: number): LiveBroker[] {
    return this.all().filter((broker) => broker.lastHeardMs + broker.heartbeatTimeoutMs < nowMs);
  }

  all(): LiveBroker[] {
    return [...this.#brokers.values()];
  }
}

/** Addresses hold no line feed. */
export function brokerKey(cluster: string, address: string): string {
  return `${cluster}\n${address}`;
}
