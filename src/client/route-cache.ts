import { LruMap } from '../common/mod.ts';
import type { Log } from '../io/mod.ts';
import { SystemTopic } from '../message/mod.ts';
import { ResponseCode } from '../remoting/mod.ts';
import { ClientError } from './client-error.ts';
import type { NameServers } from './name-servers.ts';
import { parseRoute, type Route, routeFromTemplate } from './route.ts';

/** Over it the topic that was used least recently is forgotten, and asked for again when needed. */
const topicsMax = 10_000;
/** What clients ask for when their send creates a topic (`defaultTopicQueueNums`). */
export const newTopicQueueCount = 4;

/** Routes by topic, asked once and refreshed by `refresh` (each 30 s), and the addresses of all brokers in them. */
export class RouteCache {
  readonly #nameServers: NameServers;
  readonly #log: Log;
  readonly #routes = new LruMap<string, Route>(topicsMax);
  /** Topics whose route has failed its user; at most `topicsMax`, then all are believed again. */
  readonly #doubted = new Set<string>();
  readonly #asking = new Map<string, Promise<Route | undefined>>();
  #addresses = new Map<string, ReadonlyMap<number, string>>();

  constructor(nameServers: NameServers, log: Log) {
    this.#nameServers = nameServers;
    this.#log = log;
  }

  /** Undefined when no name server knows the topic. Throws ClientError. */
  async route(topic: string): Promise<Route | undefined> {
    const known = this.#routes.get(topic);
    return known === undefined || known.provisional ? await this.#ask(topic) : this.#confirmed(topic, known);
  }

  /** Where to send: for an unknown topic the brokers that would create it, by the route of TBW102. */
  async routeToPublish(topic: string): Promise<Route> {
    const cached = this.#routes.get(topic);
    const known = cached === undefined ? await this.#ask(topic) : await this.#confirmed(topic, cached);
    if (known !== undefined) return known;
    const template = await this.#ask(SystemTopic.AUTO_CREATE);
    if (template === undefined) {
      throw new ClientError('no route', `no name server knows the topic ${topic}, and none would create it`, {
        code: ResponseCode.TOPIC_NOT_EXIST,
      });
    }
    // Kept until the next refresh, which finds the topic that the send has created.
    const route = routeFromTemplate(topic, template, newTopicQueueCount);
    this.#keep(topic, route);
    return route;
  }

  /** Asks for all known topics again; those that do not answer stay as they are. */
  async refresh(): Promise<void> {
    for (const topic of [...this.#routes.keys()]) {
      try {
        await this.#ask(topic);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (error.failure === 'stopped') return;
        this.#log.warn('client.route-not-refreshed', { topic, error }, `The route of ${topic} stays as it was`);
      }
    }
    this.#collectAddresses();
  }

  /** Asks again at the next use: what we believe led to a broker that is not there. */
  doubt(topic: string): void {
    if (this.#doubted.size >= topicsMax) this.#doubted.clear();
    this.#doubted.add(topic);
  }

  /**
   * A route that is doubted is asked for once more. Name servers that do not answer, or do not know the topic, prove
   * nothing: one that was started anew knows no topic until the brokers register with it again.
   */
  async #confirmed(topic: string, known: Route): Promise<Route> {
    if (!this.#doubted.delete(topic)) return known;
    try {
      return (await this.#ask(topic)) ?? known;
    } catch (error) {
      if (!(error instanceof ClientError) || error.failure === 'stopped') throw error;
      return known;
    }
  }

  /** The address of a broker; of the master unless told otherwise. */
  address(brokerName: string, brokerId = 0): string | undefined {
    return this.#addresses.get(brokerName)?.get(brokerId);
  }

  /** The master, or any other when it is gone. */
  anyAddress(brokerName: string): string | undefined {
    const addresses = this.#addresses.get(brokerName);
    return addresses?.get(0) ?? addresses?.values().next().value;
  }

  /** Every broker name of the known routes with its addresses by id. */
  brokers(): ReadonlyMap<string, ReadonlyMap<number, string>> {
    return this.#addresses;
  }

  /** One question at a time for a topic, shared by all who ask. */
  #ask(topic: string): Promise<Route | undefined> {
    const asking = this.#asking.get(topic);
    if (asking !== undefined) return asking;
    const answer = this.#askNow(topic).finally(() => this.#asking.delete(topic));
    this.#asking.set(topic, answer);
    return answer;
  }

  async #askNow(topic: string): Promise<Route | undefined> {
    const response = await this.#nameServers.request('getRouteinfoByTopic', { topic, acceptStandardJsonOnly: true });
    if (response.code === ResponseCode.TOPIC_NOT_EXIST) return undefined;
    if (response.code !== ResponseCode.SUCCESS) {
      throw new ClientError('refused', `route of ${topic}: ${response.remark ?? ''}`, { code: response.code });
    }
    const route = parseRoute(topic, response.body);
    this.#keep(topic, route);
    return route;
  }

  #keep(topic: string, route: Route): void {
    this.#routes.set(topic, route);
    for (const [brokerName, addresses] of route.brokers) this.#addresses.set(brokerName, addresses);
  }

  /** Built anew, so that brokers which are in no route any more disappear. */
  #collectAddresses(): void {
    this.#addresses = new Map([...this.#routes.values()].flatMap((route) => [...route.brokers]));
  }
}
