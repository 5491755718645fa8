/**
 * What must be true of the daemon before a request: the provider states of the pacts. Each is set up by
 * `provider/states.ts` on a real daemon; nothing is pretended.
 */
import type { OperationId } from '@llama-orch/contracts';

/** Names of the states, as they stand in the pacts, and the parameters of each. */
export interface SituationParameters {
  readonly 'a daemon': object;
  readonly 'every pool is ready': object;
  readonly 'a pool without engines': object;
  readonly 'a key without the scope': object;
  readonly 'a key that is not known': object;
  readonly 'a task that has ended': { readonly task_id: string };
  readonly 'a task that can be verified': { readonly task_id: string };
  readonly 'a task of which no other replica is ready': { readonly task_id: string };
  readonly 'a task that waits': { readonly task_id: string };
  readonly 'a task that was canceled while it waited': { readonly task_id: string };
  readonly 'a task whose engine failed': { readonly task_id: string };
  readonly 'a task that is not kept any more': { readonly task_id: string };
  readonly 'a task id that another request has used': { readonly task_id: string };
  readonly 'a full queue': { readonly policy: string };
  readonly 'a pool whose slots are busy': object;
  readonly 'a pool that is known to be slow': object;
  readonly 'a pool that drains': object;
  readonly 'a tenant that has used up its rate': object;
  readonly 'a session': { readonly session_id: string };
  readonly 'a session that has expired': { readonly session_id: string };
  readonly 'bodies of at most 1 KiB': object;
  readonly 'a request made larger than a sync may be': object;
  readonly 'a pool that can change its model': object;
  readonly 'a pool that cannot change its model': object;
  readonly 'a pool with a canary': object;
  readonly 'a host that has not registered': object;
  readonly 'a host that has registered': object;
  /** The situation in which the operation would succeed, were its answer not lost inside the daemon. */
  readonly 'an unexpected failure inside the daemon': {
    readonly operation: OperationId;
    readonly task_id?: string;
    readonly session_id?: string;
  };
}

export type SituationName = keyof SituationParameters;

export type Situation = {
  [Name in SituationName]: {
    readonly name: Name;
    readonly parameters: SituationParameters[Name];
  };
}[SituationName];

export function situation<Name extends SituationName>(
  name: Name,
  ...[parameters]: object extends SituationParameters[Name]
    ? []
    : [parameters: SituationParameters[Name]]
): Situation {
  return { name, parameters: parameters ?? {} } as Situation;
}

/** A request with this correlation id is the one whose answer is lost. */
export const LOST_ANSWER_ID = 'pact-the-answer-is-lost';
