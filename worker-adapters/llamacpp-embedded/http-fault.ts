/** The error types of llama-server and the status each one travels with. */
export const FAULT_STATUS = {
  invalid_request_error: 400,
  exceed_context_size_error: 400,
  not_found_error: 404,
  payload_too_large_error: 413,
  server_error: 500,
  not_supported_error: 501,
  unavailable_error: 503,
} as const satisfies Record<string, number>;

export type FaultType = keyof typeof FAULT_STATUS;

/** A refusal a client may read. The message never holds prompt or output text. */
export class HttpFault extends Error {
  override readonly name = 'HttpFault';
  readonly type: FaultType;
  readonly extra: Readonly<Record<string, number>>;

  constructor(type: FaultType, message: string, extra: Readonly<Record<string, number>> = {}) {
    super(message);
    this.type = type;
    this.extra = extra;
  }

  get status(): number {
    return FAULT_STATUS[this.type];
  }

  /** llama-server's error body. */
  toBody(): { error: Record<string, string | number> } {
    return {
      error: { code: this.status, message: this.message, type: this.type, ...this.extra },
    };
  }
}

/** Anything that is not already a fault is the server's own failure. */
export function toHttpFault(error: unknown): HttpFault {
  return error instanceof HttpFault ? error : new HttpFault('server_error', 'internal failure');
}
