/** Who calls, and what they may do. */
import { OPERATIONS, type KeyConfig, type OperationId } from '@llama-orch/contracts';

export type Scope = KeyConfig['scopes'][number];

/** The tenant that always exists; without keys every caller is it. */
export const DEFAULT_TENANT = 'default';

/**
 * Whose tasks audits are. No configuration can name it, so no key is ever its: ids of tenants begin with a letter
 * or a digit.
 */
export const AUDIT_TENANT = ':audit';

export interface Identity {
  /** Whose tasks and sessions the caller sees. */
  readonly tenantId: string;
  /** Names the key in logs; undefined while no key is configured. */
  readonly keyId: string | undefined;
  readonly scopes: ReadonlySet<Scope>;
}

/** Everyone, while no key is configured: only this machine can reach the daemon then. */
export const KEYLESS: Identity = {
  tenantId: DEFAULT_TENANT,
  keyId: undefined,
  scopes: new Set<Scope>(['admin']),
};

/** An operation of the contract that is not open to everyone. */
export type GuardedOperation = {
  [Id in OperationId]: (typeof OPERATIONS)[Id]['scope'] extends null ? never : Id;
}[OperationId];

/** The scope that the caller lacks for an operation, or undefined when it may go on. */
export function missingScope(
  { scopes }: Identity,
  operationId: GuardedOperation,
): Scope | undefined {
  const { scope } = OPERATIONS[operationId];
  return scope === 'any' || scopes.has(scope) || scopes.has('admin') ? undefined : scope;
}
