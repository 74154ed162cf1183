/** What those who watch the process see: health, readiness, metrics. */
export { brokerMetrics } from './broker-metrics.ts';
export type { Metric } from './metric.ts';
export { nameServerMetrics } from './namesrv-metrics.ts';
export { processMetrics } from './process-metrics.ts';
export { type Readiness, startStatusServer } from './status-server.ts';
