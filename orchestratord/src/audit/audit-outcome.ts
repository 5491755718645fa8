/** What becomes of audits, as it is counted: one of the closed lists of `ci/metrics.lint.json`. */
import { OrchError } from '@llama-orch/contracts';

export type SkipReason =
  /** More were drawn than there was idle time for: the oldest made room. */
  | 'list-full'
  /** Its set had no other replica any more. */
  | 'no-replica'
  /** The task was swept meanwhile. */
  | 'expired'
  /** Others had need of its slot. */
  | 'gave-way'
  /** It took longer than an audit may. */
  | 'timed-out'
  /** The second run failed. */
  | 'failed';

export type AuditOutcome =
  | { readonly outcome: 'match' | 'drift' }
  | { readonly outcome: 'skipped'; readonly reason: SkipReason };

/** A second run that was taken back for others. */
export class GaveWayError extends Error {
  override readonly name = 'GaveWayError';
}

/** A second run that was not over in time. */
export class TimedOutError extends Error {
  override readonly name = 'TimedOutError';
}

export function reasonOf(error: unknown): SkipReason {
  if (error instanceof GaveWayError) return 'gave-way';
  if (error instanceof TimedOutError) return 'timed-out';
  return error instanceof OrchError && error.kind === 'NOT_FOUND' ? 'expired' : 'failed';
}
