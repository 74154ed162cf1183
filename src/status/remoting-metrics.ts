import type { RemotingServerStats } from '../remoting/mod.ts';
import { counter, gauge, type Labels, type Metric } from './metric.ts';

/** A remoting server's traffic; `labels` tell the servers of one process apart. */
export function remotingMetrics(stats: RemotingServerStats, labels: Labels): Metric[] {
  return [
    gauge('liftmq_remoting_connections', 'Open connections.', stats.connections, labels),
    gauge('liftmq_remoting_requests_in_flight', 'Requests whose answer is due.', stats.inFlight, labels),
    gauge('liftmq_remoting_held_bytes', 'Half frames, and answers that peers have not taken.', stats.heldBytes, labels),
    counter('liftmq_remoting_bytes_in_total', 'Bytes received.', stats.bytesInTotal, labels),
    counter('liftmq_remoting_bytes_out_total', 'Bytes sent.', stats.bytesOutTotal, labels),
    counter('liftmq_remoting_busy_total', 'Requests refused over a budget.', stats.refusedBusyTotal, labels),
    counter('liftmq_remoting_bad_frames_total', 'Frames that closed their connection.', stats.badFramesTotal, labels),
    counter(
      'liftmq_remoting_refused_connections_total',
      'Connections closed at once because a limit was reached.',
      stats.refusedConnectionsTotal,
      labels,
    ),
    {
      name: 'liftmq_remoting_requests_total',
      help: 'Requests by command.',
      kind: 'counter',
      samples: [...stats.requestsByCommand].map(([command, value]) => ({ value, labels: { ...labels, command } })),
    },
    {
      name: 'liftmq_remoting_responses_total',
      help: 'Answers by response code; 0 is success.',
      kind: 'counter',
      samples: [...stats.responsesByCode].map(([code, value]) => ({
        value,
        labels: { ...labels, response_code: String(code) },
      })),
    },
  ];
}
