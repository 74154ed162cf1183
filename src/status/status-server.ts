import type { Endpoint, HttpReply, Listener, Network } from '../io/mod.ts';
import { type Metric, prometheusText } from './metric.ts';

/** The parts of the process by name, each with a word on how it is; ready when all are. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, string>>;
}

/**
 * One HTTP port for those who watch the process; it only ever reads.
 *
 * - `/healthz`: the event loop turns
 * - `/readyz`: 200 when the store is recovered and the broker registered, otherwise 503; the body says which part is not
 * - `/metrics`: Prometheus text
 * - `/version`
 *
 * Rejects with NetworkError when the port is taken.
 */
export function startStatusServer(options: {
  network: Pick<Network, 'serveHttp'>;
  listen: Endpoint;
  version: string;
  readiness: () => Readiness;
  metrics: () => readonly Metric[];
}): Promise<Listener> {
  const { network, listen, version, readiness, metrics } = options;
  return network.serveHttp(listen, (path) => {
    switch (path) {
      case '/':
        return text(200, '/healthz\n/readyz\n/metrics\n/version\n');
      case '/healthz':
        return json(200, { status: 'ok' });
      case '/readyz': {
        const now = readiness();
        return json(now.ready ? 200 : 503, now);
      }
      case '/metrics':
        return {
          status: 200,
          contentType: 'text/plain; version=0.0.4; charset=utf-8',
          body: prometheusText(metrics()),
        };
      case '/version':
        return json(200, { name: 'liftmq', version });
      default:
        return text(404, 'not found; there are /healthz, /readyz, /metrics and /version\n');
    }
  });
}

function text(status: number, body: string): HttpReply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function json(status: number, value: unknown): HttpReply {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}
