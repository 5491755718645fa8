import type { IncomingHttpHeaders } from 'node:http';

/** The header that carries `TOKEN.SECRET` of the lease. */
export const LEASE_HEADER = 'x-llama-orch-lease';
/** The header that names a request, so that its end can be asked for. */
export const REQUEST_HEADER = 'x-llama-orch-request';

/** What belongs to one connection only (RFC 9110, 7.6.1), and what is meant for the gateway itself. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  LEASE_HEADER,
  REQUEST_HEADER,
]);

/** The headers that go on to the other side; those that `Connection` names stay behind too. */
export function forwardedHeaders(
  headers: Readonly<IncomingHttpHeaders>,
): Record<string, string | string[]> {
  const named = namedByConnection(headers.connection);
  const forwarded: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || NOT_FORWARDED.has(name) || named.has(name)) continue;
    forwarded[name] = value;
  }
  return forwarded;
}

function namedByConnection(value: string | string[] | undefined): ReadonlySet<string> {
  if (value === undefined || value === 'keep-alive' || value === 'close') return NONE;
  const text = Array.isArray(value) ? value.join(',') : value;
  return new Set(text.split(',').map((name) => name.trim().toLowerCase()));
}

const NONE: ReadonlySet<string> = new Set();
