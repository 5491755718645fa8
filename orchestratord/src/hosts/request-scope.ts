/**
 * The id under which a request goes to a host's gateway. Adapters do not know of it: it is found by the
 * header of the call that runs inside the scope, however deep in the adapter that is.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const scope = new AsyncLocalStorage<string>();

export function underRequestId<T>(requestId: string, run: () => T): T {
  return scope.run(requestId, run);
}

export function currentRequestId(): string | undefined {
  return scope.getStore();
}
