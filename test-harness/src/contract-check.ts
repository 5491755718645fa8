/** Holds answers of the daemon against the contract: status, headers, body, events. */
import {
  ERROR_KINDS,
  isCorrelationId,
  type ErrorEnvelope,
  type OperationId,
} from '@llama-orch/contracts';
import { validateResponse, validateTaskEvent } from '@llama-orch/contracts/responses';

/** The daemon broke its contract. */
export class ContractViolation extends Error {
  override readonly name = 'ContractViolation';
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it came. */
  readonly text: string;
  /** The parsed body; undefined when there was none. */
  readonly body: unknown;
}

/** Statuses that say more than their code's usual one. */
const TRANSPORT_STATUSES: ReadonlySet<number> = new Set([405, 406, 408, 410, 414, 415, 417, 431]);

/** @throws ContractViolation */
export function checkAnswer(
  operationId: OperationId,
  answer: Answer,
  correlationId?: string,
): void {
  const { status, body } = answer;
  const valid = validateResponse(operationId, status, body);
  if (!valid.ok) fail(answer, `${operationId}: ${JSON.stringify(valid.details)}`);
  checkCorrelation(answer, correlationId);
  if (status >= 400) checkErrorHeaders(answer);
  if (status === 400 && (body as ErrorEnvelope).details?.[0] === undefined) {
    fail(answer, 'a 400 that names no place');
  }
  if (operationId === 'createTask' && status === 202) {
    const { task_id: id, stream_url: streamUrl } = body as { task_id: string; stream_url: string };
    if (answer.headers['location'] !== `/v1/tasks/${id}`) fail(answer, 'Location is not the task');
    if (streamUrl !== `/v1/tasks/${id}/stream`) fail(answer, 'stream_url is not the stream');
  }
}

/** For answers to what is no operation of the contract. @throws ContractViolation */
export function checkEnvelope(answer: Answer, correlationId?: string): ErrorEnvelope {
  if (answer.status < 400) fail(answer, 'not an error');
  const valid = validateResponse('getLiveness', answer.status, answer.body);
  if (!valid.ok) fail(answer, `not an envelope: ${JSON.stringify(valid.details)}`);
  checkCorrelation(answer, correlationId);
  checkErrorHeaders(answer);
  return answer.body as ErrorEnvelope;
}

/** @throws ContractViolation */
export function checkEvent(event: string, data: unknown): void {
  const valid = validateTaskEvent(event, data);
  if (valid.ok) return;
  throw new ContractViolation(
    `event ${event}: ${JSON.stringify(valid.details)} in ${JSON.stringify(data)}`,
  );
}

function checkCorrelation(answer: Answer, sent: string | undefined): void {
  const echoed = answer.headers['x-correlation-id'];
  if (typeof echoed !== 'string' || !isCorrelationId(echoed)) fail(answer, 'no X-Correlation-Id');
  if (sent !== undefined && echoed !== sent) fail(answer, `X-Correlation-Id is not ${sent}`);
}

function checkErrorHeaders(answer: Answer): void {
  const { status, headers } = answer;
  const type = headers['content-type'];
  if (typeof type !== 'string' || !type.startsWith('application/json')) fail(answer, 'is not JSON');
  const envelope = answer.body as ErrorEnvelope;
  const usual = ERROR_KINDS[envelope.code].status;
  if (usual !== status && !TRANSPORT_STATUSES.has(status)) {
    fail(answer, `${envelope.code} has status ${usual}`);
  }
  if (status === 405 && headers['allow'] === undefined) fail(answer, '405 without Allow');
  if (status !== 429 && status !== 503) return;
  const waitMs = envelope.retry_after_ms;
  if (waitMs === undefined) fail(answer, 'no retry_after_ms');
  const seconds = Number(headers['retry-after']);
  if (seconds !== Math.max(1, Math.ceil(waitMs / 1000)))
    fail(answer, 'Retry-After differs from the body');
  if (status === 429 && Number(headers['x-backoff-ms']) !== waitMs) {
    fail(answer, 'X-Backoff-Ms differs from the body');
  }
}

function fail(answer: Answer, reason: string): never {
  const { status, headers, text } = answer;
  throw new ContractViolation(
    `${reason}\n${status} ${JSON.stringify(headers)}\n${text.slice(0, 2000)}`,
  );
}
