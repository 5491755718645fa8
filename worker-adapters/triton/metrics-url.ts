import type { AdapterOptions } from '../api/types.ts';

/** Triton listens on 8000 for HTTP, 8001 for gRPC and 8002 for metrics by default. */
const PORTS_ABOVE_HTTP = 2;
const MAX_PORT = 65_535;

/**
 * Where the metrics are: as configured, else two ports above the API, where Triton has them by default
 * and where servers that share a host are best put as well. Undefined for an API at a port that the URL
 * does not name or under a path: it is behind a proxy, and the metrics are anywhere.
 */
export function metricsUrlOf(options: Pick<AdapterOptions, 'url' | 'metricsUrl'>) {
  const { protocol, hostname, port, pathname } = new URL(options.url);
  if (options.metricsUrl !== undefined) return options.metricsUrl.replace('{host}', hostname);
  const metricsPort = Number(port) + PORTS_ABOVE_HTTP;
  if (port === '' || pathname !== '/' || metricsPort > MAX_PORT) return undefined;
  return `${protocol}//${hostname}:${metricsPort}/metrics`;
}
