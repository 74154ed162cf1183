/** Plain numbers that only grow, from the start of the process on. */
export interface BrokerCounters {
  messagesInTotal: number;
  bytesInTotal: number;
  messagesOutTotal: number;
  bytesOutTotal: number;
  sendFailuresTotal: number;
  /** Pulls that found messages, and those that did not. */
  pullsFoundTotal: number;
  pullsMissedTotal: number;
  sentBackTotal: number;
  deadLettersTotal: number;
  /** Delayed messages that went to their real topic. */
  delayedDeliveredTotal: number;
}

export function createCounters(): BrokerCounters {
  return {
    messagesInTotal: 0,
    bytesInTotal: 0,
    messagesOutTotal: 0,
    bytesOutTotal: 0,
    sendFailuresTotal: 0,
    pullsFoundTotal: 0,
    pullsMissedTotal: 0,
    sentBackTotal: 0,
    deadLettersTotal: 0,
    delayedDeliveredTotal: 0,
  };
}
