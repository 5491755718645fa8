/** The host's end of the pool API, for tests that play it against orchestratord's end. */
export { HostLeases } from './host-leases.ts';
export { HostModels } from './host-models.ts';
export { HostLink } from './host-link.ts';
export { createHttpTransport, SyncRefused } from './transport.ts';
export type { SyncTransport } from './transport.ts';
