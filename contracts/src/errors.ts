/**
 * The closed list of error kinds, each with the HTTP status it answers with and whether the same
 * request may succeed later. A test holds this table equal to `ErrorKind` in `openapi/data.yaml`.
 *
 * `status: 500` on DECODE_TIMEOUT, WORKER_RESET and TASK_CANCELED is used only where a caller waits
 * for the whole answer; otherwise they appear inside streams, which have answered 200 already.
 */
export const ERROR_KINDS = {
  INVALID_PARAMS: { status: 400, retriable: false },
  DEADLINE_UNMET: { status: 400, retriable: false },
  UNTRUSTED_ARTIFACT: { status: 400, retriable: false },
  UNAUTHORIZED: { status: 401, retriable: false },
  FORBIDDEN: { status: 403, retriable: false },
  MODEL_DEPRECATED: { status: 403, retriable: false },
  POLICY_DENIED: { status: 403, retriable: false },
  NOT_FOUND: { status: 404, retriable: false },
  CONFLICT: { status: 409, retriable: false },
  PAYLOAD_TOO_LARGE: { status: 413, retriable: false },
  ADMISSION_REJECT: { status: 429, retriable: true },
  QUEUE_FULL_DROP_LRU: { status: 429, retriable: true },
  RATE_LIMITED: { status: 429, retriable: true },
  QUOTA_EXCEEDED: { status: 429, retriable: true },
  BUDGET_EXHAUSTED: { status: 429, retriable: false },
  INTERNAL: { status: 500, retriable: false },
  DECODE_TIMEOUT: { status: 500, retriable: true },
  WORKER_RESET: { status: 500, retriable: true },
  TASK_CANCELED: { status: 500, retriable: false },
  POOL_UNREADY: { status: 503, retriable: true },
  POOL_UNAVAILABLE: { status: 503, retriable: true },
  REPLICA_EXHAUSTED: { status: 503, retriable: true },
} as const satisfies Record<string, { readonly status: number; readonly retriable: boolean }>;

export type ErrorKind = keyof typeof ERROR_KINDS;

/** Which rule refused a 429. */
export type PolicyLabel =
  'reject' | 'drop-lru' | 'shed-low-priority' | 'rate-limit' | 'quota' | 'budget';

/** Where a request is at fault: a JSON pointer into the body, or the name of a parameter or header. */
export interface FaultDetail {
  readonly path: string;
  readonly message: string;
}

export interface OrchErrorOptions {
  /** Overrides the status of the kind, for transport faults such as 405 and 415. */
  readonly status?: number;
  readonly retriable?: boolean;
  readonly engine?: string;
  readonly poolId?: string;
  readonly retryAfterMs?: number;
  readonly policyLabel?: PolicyLabel;
  /** With DEADLINE_UNMET: the shortest deadline that could be kept, ms from admission. */
  readonly earliestFeasibleMs?: number;
  readonly details?: readonly FaultDetail[];
  readonly cause?: unknown;
}

/** The one error class that crosses rooms; match on `kind`, never on the message. */
export class OrchError extends Error {
  override readonly name = 'OrchError';
  readonly kind: ErrorKind;
  readonly status: number;
  readonly retriable: boolean;
  readonly engine: string | undefined;
  readonly poolId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly policyLabel: PolicyLabel | undefined;
  readonly earliestFeasibleMs: number | undefined;
  readonly details: readonly FaultDetail[] | undefined;

  constructor(kind: ErrorKind, message: string, options: OrchErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.status = options.status ?? ERROR_KINDS[kind].status;
    this.retriable = options.retriable ?? ERROR_KINDS[kind].retriable;
    this.engine = options.engine;
    this.poolId = options.poolId;
    this.retryAfterMs = options.retryAfterMs;
    this.policyLabel = options.policyLabel;
    this.earliestFeasibleMs = options.earliestFeasibleMs;
    this.details = options.details;
  }
}
