import type { ReplicaMachine } from './replica-machine-types.ts';
import type { PoolHealth, ReplicaSnapshot } from './types.ts';

interface ReplicaView {
  readonly machine: ReplicaMachine;
  readonly snapshot: ReplicaSnapshot;
}

/** Sums up a pool for its operators and for those who decide whether waiting makes sense. */
export function poolHealth(
  poolId: string,
  draining: boolean,
  replicas: readonly ReplicaView[],
  /** Of the pool itself rather than of a replica. */
  ownError: ReplicaMachine['lastError'],
): PoolHealth {
  const machines = replicas.map(({ machine }) => machine);
  const newestError = machines
    .flatMap(({ lastError }) => lastError ?? [])
    .reduce<ReplicaMachine['lastError']>(
      (newest, error) => (newest === undefined || error.atMs > newest.atMs ? error : newest),
      ownError,
    );
  return {
    poolId,
    live: machines.some(({ answers }) => answers),
    ready: machines.some(({ state }) => state === 'ready'),
    draining,
    recoverable: machines.some(({ state }) => state !== 'failed' && state !== 'stopped'),
    lastError: newestError?.message,
    replicas: replicas.map(({ snapshot }) => snapshot),
  };
}
