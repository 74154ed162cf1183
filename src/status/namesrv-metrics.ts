import type { NameServerStats } from '../namesrv/mod.ts';
import { gauge, type Metric } from './metric.ts';
import { remotingMetrics } from './remoting-metrics.ts';

export function nameServerMetrics(stats: NameServerStats): Metric[] {
  return [
    gauge('liftmq_namesrv_brokers', 'Broker processes that are registered.', stats.brokerCount),
    gauge('liftmq_namesrv_topics', 'Topics that have a route.', stats.topicCount),
    ...remotingMetrics(stats.remoting, { node_type: 'namesrv' }),
  ];
}
