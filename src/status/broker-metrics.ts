import type { BrokerStats } from '../broker/mod.ts';
import { counter, gauge, type Labels, type Metric } from './metric.ts';
import { remotingMetrics } from './remoting-metrics.ts';

/**
 * A broker under the names of RocketMQ 5's metrics where it has them (its per-topic ones for the busiest topics only),
 * under `liftmq_` elsewhere.
 */
export function brokerMetrics(stats: BrokerStats, identity: { cluster: string; brokerName: string }): Metric[] {
  const labels: Labels = { cluster: identity.cluster, node_type: 'broker', node_id: identity.brokerName };
  const { counters, store, topics } = stats;
  const perTopic = (name: string, help: string, pick: (topic: (typeof topics)[number]) => number): Metric => ({
    name,
    help,
    kind: 'counter',
    samples: topics.map((topic) => ({ value: pick(topic), labels: { ...labels, topic: topic.topic } })),
  });
  return [
    perTopic('rocketmq_messages_in_total', 'Messages stored.', (topic) => topic.messagesIn),
    perTopic('rocketmq_messages_out_total', 'Messages given to consumers.', (topic) => topic.messagesOut),
    perTopic('rocketmq_throughput_in_total', 'Bytes of messages stored.', (topic) => topic.bytesIn),
    perTopic('rocketmq_throughput_out_total', 'Bytes of messages given to consumers.', (topic) => topic.bytesOut),
    counter(
      'rocketmq_send_to_dlq_messages_total',
      'Messages moved to dead-letter queues.',
      counters.deadLettersTotal,
      labels,
    ),
    gauge('rocketmq_topic_number', 'Topics.', stats.topicCount, labels),
    gauge('rocketmq_consumer_group_number', 'Consumer groups.', stats.groupCount, labels),
    gauge('rocketmq_producer_connections', 'Producers.', stats.producerCount, labels),
    gauge('rocketmq_consumer_connections', 'Consumers.', stats.consumerCount, labels),
    gauge(
      'rocketmq_storage_flush_behind_bytes',
      'Log bytes that are not synced yet.',
      store.maxPhysicalOffset - store.flushedOffset,
      labels,
    ),
    gauge(
      'rocketmq_storage_dispatch_behind_bytes',
      'Log bytes whose queue entries are not on disk yet.',
      store.dispatchBehindBytes,
      labels,
    ),
    gauge(
      'liftmq_log_bytes',
      'Commit log from its first to its last byte.',
      store.maxPhysicalOffset - store.minPhysicalOffset,
      labels,
    ),
    gauge('liftmq_store_writable', '1 while messages are accepted.', store.writable ? 1 : 0, labels),
    gauge('liftmq_disk_used_ratio', 'Of the disk that holds the store.', store.diskUsedRatio, labels),
    counter('liftmq_scrub_bytes_total', 'Log bytes that the scrub checked.', store.scrub.bytesTotal, labels),
    counter('liftmq_scrub_passes_total', 'Times that the scrub checked the whole log.', store.scrub.passes, labels),
    gauge(
      'liftmq_scrub_damaged_records',
      'Places where the scrub found the log damaged.',
      store.scrub.damagedCount,
      labels,
    ),
    gauge('liftmq_queues', 'Queues that hold messages.', store.queueCount, labels),
    gauge('liftmq_held_pulls', 'Pulls that wait for messages.', stats.heldPulls, labels),
    counter('liftmq_messages_in_total', 'Messages stored, all topics.', counters.messagesInTotal, labels),
    counter('liftmq_messages_out_total', 'Messages given to consumers, all topics.', counters.messagesOutTotal, labels),
    counter('liftmq_send_failures_total', 'Sends that were refused or failed.', counters.sendFailuresTotal, labels),
    counter('liftmq_sent_back_total', 'Messages that consumers sent back.', counters.sentBackTotal, labels),
    counter('liftmq_delayed_delivered_total', 'Delayed messages delivered.', counters.delayedDeliveredTotal, labels),
    ...remotingMetrics(stats.remoting, labels),
  ];
}
