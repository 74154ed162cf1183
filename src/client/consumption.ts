import { RemotingError } from '../remoting/mod.ts';
import type { AssignedQueue } from './assigned-queue.ts';
import type { Client } from './client.ts';
import { ClientError } from './client-error.ts';
import { type MessageQueue, queueKey } from './message-queue.ts';
import type { OffsetStore } from './offset-store.ts';
import type { ReceivedMessage } from './received-message.ts';

/** 'later': the messages come again after a while. A listener that throws means the same. */
export type ConsumeOutcome = 'success' | 'later';

export type Listener = (messages: readonly ReceivedMessage[], queue: MessageQueue) => Promise<ConsumeOutcome>;

export interface ConsumptionOptions {
  client: Client;
  group: string;
  listener: Listener;
  offsets: OffsetStore;
  /** Listeners that run at once; in order, one for each queue. */
  concurrency: number;
  /** Messages for one call of the listener. */
  batchSizeMax: number;
  /** After so many failures a message goes to the dead-letter queue. */
  maxReconsumeTimes: number;
  /** Each consumer has all queues to itself: no locks, and what failed does not come again from the broker. */
  broadcast: boolean;
}

/** How pulled messages come to the listener: concurrently or in order. */
export interface Consumption {
  /** There are new messages in `assigned.processQueue`. */
  onMessages(assigned: AssignedQueue, messages: readonly ReceivedMessage[]): void;
  /** Resolves when no listener runs any more for queues whose lifetime ended (for one queue, when given). */
  idle(assigned?: AssignedQueue): Promise<void>;
}

export async function callListener(
  client: Client,
  listener: Listener,
  messages: readonly ReceivedMessage[],
  queue: MessageQueue,
): Promise<ConsumeOutcome> {
  try {
    return await listener(messages, queue);
  } catch (error) {
    // Whatever a user's listener throws: it did not consume the messages.
    client.ports.log.warn('client.listener-threw', { queue: queueKey(queue), error }, 'The message listener threw');
    return 'later';
  }
}

/**
 * Gives a message back to its broker, which delivers it again through the group's retry topic, or puts it into the
 * dead-letter queue when it failed too often (`delayLevel` −1: at once). False when the broker did not take it.
 */
export async function sendBack(
  client: Client,
  group: string,
  message: ReceivedMessage,
  delayLevel: number,
  maxReconsumeTimes: number,
): Promise<boolean> {
  try {
    await client.call(client.masterOf(message.queue.brokerName), 'consumerSendMsgBack', {
      offset: message.physicalOffset,
      group,
      delayLevel,
      originMsgId: message.messageId,
      originTopic: message.queue.topic,
      unitMode: false,
      maxReconsumeTimes,
    });
    return true;
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof RemotingError)) throw error;
    client.ports.log.warn(
      'client.send-back-failed',
      { group, messageId: message.messageId, error },
      `${message.messageId} was not taken back: ${error.message}`,
    );
    return false;
  }
}
