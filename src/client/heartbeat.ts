import { javaHash, writeLooseJson } from '../common/mod.ts';
import type { Log } from '../io/mod.ts';
import { type RemotingClient, RemotingError, ResponseCode } from '../remoting/mod.ts';

/** What a consumer group of this client wants of a topic (SubscriptionData). */
export interface Subscription {
  readonly topic: string;
  readonly subString: string;
  readonly tagsSet: readonly string[];
  readonly codeSet: readonly number[];
  /** Wall time of the last change, in ms: brokers believe the newest. */
  readonly subVersion: number;
  readonly expressionType: 'TAG';
  readonly classFilterMode: false;
}

/** ConsumerData of the heartbeat. */
export interface ConsumerData {
  groupName: string;
  consumeType: 'CONSUME_ACTIVELY' | 'CONSUME_PASSIVELY';
  messageModel: 'BROADCASTING' | 'CLUSTERING';
  consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET' | 'CONSUME_FROM_FIRST_OFFSET' | 'CONSUME_FROM_TIMESTAMP';
  subscriptionDataSet: readonly Subscription[];
  unitMode: false;
}

interface HeartbeatContent {
  clientID: string;
  consumerDataSet: readonly ConsumerData[];
  producerDataSet: readonly { groupName: string }[];
}

const timeoutMs = 3000;

/**
 * Tells brokers which groups live here. Version 2 adds a fingerprint of the content: while it stays the same, and the
 * broker has said that it knows version 2, the subscriptions are left out.
 */
export class Heartbeats {
  readonly #remoting: RemotingClient;
  readonly #log: Log;
  readonly #useV2: boolean;
  /** By address: the fingerprint that the broker has. Only brokers that know version 2 are in it. */
  readonly #known = new Map<string, number>();

  constructor(remoting: RemotingClient, log: Log, useV2: boolean) {
    this.#remoting = remoting;
    this.#log = log;
    this.#useV2 = useV2;
  }

  /** A broker that does not answer is logged and asked again next time. */
  async send(address: string, content: HeartbeatContent): Promise<void> {
    const fingerprint = this.#useV2 ? fingerprintOf(content) : 0;
    try {
      const isKnown = this.#useV2 && this.#known.get(address) === fingerprint;
      const subscriptionsChanged = await this.#sendOnce(address, content, fingerprint, isKnown);
      // The broker lost what it knew, for it was started anew: tell it all without waiting for the next beat.
      if (isKnown && subscriptionsChanged) await this.#sendOnce(address, content, fingerprint, false);
    } catch (error) {
      if (!(error instanceof RemotingError)) throw error;
      this.#known.delete(address);
      if (error.failure === 'stopped') return;
      this.#log.warn('client.heartbeat-failed', { address, error }, `No heartbeat to ${address}: ${error.message}`);
    }
  }

  /** The next beat to this broker tells it everything. */
  forget(address: string): void {
    this.#known.delete(address);
  }

  /** Keeps what is known of brokers that are still there. */
  retain(addresses: ReadonlySet<string>): void {
    for (const address of this.#known.keys()) if (!addresses.has(address)) this.#known.delete(address);
  }

  async #sendOnce(
    address: string,
    content: HeartbeatContent,
    fingerprint: number,
    withoutSub: boolean,
  ): Promise<boolean> {
    const body = Buffer.from(writeLooseJson(bodyOf(content, fingerprint, withoutSub)));
    const response = await this.#remoting.request(address, 'heartBeat', {}, { body, timeoutMs });
    if (response.code !== ResponseCode.SUCCESS) {
      this.#log.warn(
        'client.heartbeat-refused',
        { address, code: response.code },
        `${address} refuses the heartbeat: ${response.remark ?? ''}`,
      );
      this.#known.delete(address);
      return false;
    }
    const subscriptionsChanged = response.extra.get('IS_SUB_CHANGE') === 'true';
    const knowsV2 = response.extra.get('IS_SUPPORT_HEART_BEAT_V2') === 'true';
    if (this.#useV2 && knowsV2 && !(withoutSub && subscriptionsChanged)) this.#known.set(address, fingerprint);
    else this.#known.delete(address);
    return subscriptionsChanged;
  }
}

function bodyOf(content: HeartbeatContent, heartbeatFingerprint: number, withoutSub: boolean): unknown {
  const consumerDataSet = withoutSub
    ? content.consumerDataSet.map((data) => ({ ...data, subscriptionDataSet: [] }))
    : content.consumerDataSet;
  return { ...content, consumerDataSet, heartbeatFingerprint, withoutSub };
}

/** Of everything except the client's id and the versions of the subscriptions; never 0. */
function fingerprintOf(content: HeartbeatContent): number {
  const consumerDataSet = content.consumerDataSet.map((data) => ({
    ...data,
    subscriptionDataSet: data.subscriptionDataSet.map((subscription) => ({ ...subscription, subVersion: 0 })),
  }));
  return javaHash(writeLooseJson(bodyOf({ ...content, clientID: '', consumerDataSet }, 0, false))) || 1;
}
