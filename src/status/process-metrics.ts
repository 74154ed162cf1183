import type { Host } from '../io/mod.ts';
import { counter, gauge, type Metric } from './metric.ts';

/** The process itself, under the names that Prometheus' clients use, and the delay of the event loop. */
export function processMetrics(host: Host): Metric[] {
  const memory = host.memory();
  const descriptors = host.fileDescriptors();
  const delay = host.eventLoopDelayMs();
  const metrics = [
    counter('process_cpu_seconds_total', 'User and system CPU time.', host.cpuSeconds()),
    gauge('process_resident_memory_bytes', 'Resident memory.', memory.residentBytes),
    gauge('liftmq_heap_bytes', 'JavaScript heap in use.', memory.heapBytes),
  ];
  if (descriptors !== undefined) {
    metrics.push(gauge('process_open_fds', 'Open file descriptors.', descriptors.open));
    metrics.push(gauge('process_max_fds', 'Limit of open file descriptors.', descriptors.limit));
  }
  if (delay !== undefined) {
    metrics.push({
      name: 'liftmq_event_loop_delay_milliseconds',
      help: 'How late the event loop was, since the last time this was read.',
      kind: 'gauge',
      samples: [
        { labels: { quantile: '0.5' }, value: delay.p50 },
        { labels: { quantile: '0.99' }, value: delay.p99 },
        { labels: { quantile: '1' }, value: delay.max },
      ],
    });
  }
  return metrics;
}
