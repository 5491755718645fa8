/** Sends one generated request and holds what comes back against the contract and the request. */
import {
  isCorrelationId,
  OPERATIONS,
  type ErrorEnvelope,
  type TaskEvents,
  type TaskRequest,
} from '@llama-orch/contracts';
import { validateResponse } from '@llama-orch/contracts/responses';
import { toJsonText, type HeaderCheck, type RequestCase } from '@llama-orch/contracts/testing';
import { checkAnswer, checkEvent, ContractViolation, type Answer } from '../src/contract-check.ts';
import type { TaskEvent } from '../src/event-stream.ts';
import { SseDecoder } from '../src/sse-decoder.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { expectedOf, isRefusal } from './semantic-rules.ts';
import { MAX_BODY_BYTES, type Target } from './target.ts';

/** What came of a request, for the tables. */
export interface Outcome {
  readonly status: number;
  readonly code: string | undefined;
}

/** @throws ContractViolation that shows the request and the answer */
export async function exchangeCase(
  request: RequestCase,
  target: Target,
  checkHeaders: HeaderCheck,
): Promise<Outcome> {
  const isEndless = request.query.some(([name, value]) => name === 'stream' && value === 'true');
  if (isEndless && request.operationId === 'listEvents' && request.fault === undefined) {
    return followEvents(request, target);
  }
  const answer = await send(request, target);
  try {
    const { 'X-Correlation-Id': sent } = request.headers;
    const echoed = sent !== undefined && isCorrelationId(sent) ? sent : undefined;
    checkAnswer(request.operationId, answer, echoed);
    const faults = checkHeaders(request.operationId, answer.status, answer.headers);
    if (faults.length > 0) throw new ContractViolation(`headers: ${faults.join(', ')}`);
    if (request.fault === undefined) checkValid(request, answer, target);
    else checkFaulty(request, answer);
    return outcomeOf(answer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ContractViolation(
      `${describeRequest(request)}\n${reason}\n${answer.text.slice(0, 1_000)}`,
    );
  }
}

/** The request as a person would write it. Values are generated: nothing of a user is in it. */
export function describeRequest(request: RequestCase): string {
  const { operationId, body, fault } = request;
  const why = fault === undefined ? 'valid' : `${fault.in} ${fault.path} breaks ${fault.keyword}`;
  const headers = JSON.stringify(request.headers);
  const text = body === undefined ? '' : toJsonText(body).slice(0, 2_000);
  return `${operationId} (${why}): ${targetOf(request)} ${headers} ${text}`;
}

function targetOf({ operationId, path, query }: RequestCase): string {
  const { path: template } = OPERATIONS[operationId];
  const filled = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(path[name] ?? ''),
  );
  const text = new URLSearchParams(
    query.map(([name, value]): [string, string] => [name, value]),
  ).toString();
  return text === '' ? filled : `${filled}?${text}`;
}

/** A task that says what leaving its stream means is asked for as a stream. */
const wantsStream = ({ operationId, query }: RequestCase): boolean =>
  operationId === 'createTask' && query.some(([name]) => name === 'cancel_on_disconnect');

function send(request: RequestCase, { client }: Target): Promise<Answer> {
  const { operationId, headers, body } = request;
  return client.send(OPERATIONS[operationId].method, targetOf(request), {
    headers: { ...headers, ...(wantsStream(request) ? { accept: 'text/event-stream' } : {}) },
    ...(body === undefined ? {} : { rawBody: toJsonText(body) }),
  });
}

function outcomeOf({ status, body }: Answer): Outcome {
  return { status, code: status < 400 ? undefined : (body as ErrorEnvelope).code };
}

function checkFaulty({ fault, body: sent }: RequestCase, { status, body }: Answer): void {
  const { code, details = [] } = body as Partial<ErrorEnvelope>;
  if (sent !== undefined && Buffer.byteLength(toJsonText(sent)) > MAX_BODY_BYTES) {
    if (code !== 'PAYLOAD_TOO_LARGE') throw new ContractViolation(`answered ${status} to its size`);
    return;
  }
  if (status !== 400 || code !== 'INVALID_PARAMS') {
    throw new ContractViolation(`answered ${status} ${code ?? ''} instead of INVALID_PARAMS`);
  }
  const paths = details.map(({ path }) => path);
  const isNamed = fault?.isPivotal
    ? paths.includes(fault.path)
    : paths.every((path) => path === fault?.path) && paths.length > 0;
  if (!isNamed) {
    throw new ContractViolation(`names ${JSON.stringify(paths)} instead of ${fault?.path ?? ''}`);
  }
}

function checkValid(request: RequestCase, answer: Answer, target: Target): void {
  const { must, may } = expectedOf(request, target);
  if (answer.status < 400) {
    if (must !== undefined) throw new ContractViolation(`served in spite of ${must.code}`);
    if (String(answer.headers['content-type']).startsWith('text/event-stream')) {
      checkStream(request, answer.text);
    }
    return;
  }
  const refusals = must === undefined ? may : [must, ...may];
  if (refusals.some((refusal) => isRefusal(answer.body as ErrorEnvelope, refusal))) return;
  const expected = must === undefined ? 'to be served' : `${must.code} at ${String(must.path)}`;
  throw new ContractViolation(`refused with ${answer.status}, expected ${expected}`);
}

/** A stream that was read to its end: each event, and all of them together where none was left out. */
function checkStream({ operationId, query, headers, body }: RequestCase, text: string): void {
  const decoder = new SseDecoder();
  const events = decoder.push(Buffer.from(text)).map(({ id, event, data }): TaskEvent => {
    const parsed = JSON.parse(data) as TaskEvents[keyof TaskEvents];
    checkEvent(event, parsed);
    return { id: Number(id), event, data: parsed, atMs: 0 } as TaskEvent;
  });
  if (!decoder.isAtBoundary) throw new ContractViolation('the stream ends inside an event');
  const { workload = 'completion' } = (body ?? {}) as TaskRequest;
  const names = events.map(({ event }) => event).join(' ');
  if (workload !== 'completion') {
    if (!/^started (end|error)$/.test(names)) throw new ContractViolation(`answered with ${names}`);
    return;
  }
  const after = headers['Last-Event-ID'] ?? query.find(([name]) => name === 'after')?.[1];
  const position = operationId === 'createTask' ? 0 : Number(after ?? 0);
  if (position === 0) {
    checkWholeStream(events);
    return;
  }
  // Who has seen more than there is, as after a crash, is told how it ended all the same.
  const seen = events.filter(({ id }) => id <= position);
  if (seen.length > 1 || (seen.length === 1 && !/^(end|error)$/.test(names))) {
    throw new ContractViolation(`${names}, some of them not after ${position}`);
  }
}

/** Operators' events have no end: what has happened so far is read, then the stream is left. */
async function followEvents(request: RequestCase, { client }: Target): Promise<Outcome> {
  const after = Number(
    request.headers['Last-Event-ID'] ?? request.query.find(([name]) => name === 'after')?.[1] ?? 0,
  );
  const check = (_type: string, event: unknown): void => {
    const { seq } = event as { seq: number };
    const valid = validateResponse('listEvents', 200, { items: [event], next_after: seq });
    if (!valid.ok) throw new ContractViolation(`event: ${JSON.stringify(valid.details)}`);
    if (seq <= after) throw new ContractViolation(`event ${seq} is not after ${after}`);
  };
  await using stream = await client.streamAt(targetOf(request), {
    headers: request.headers,
    check,
  });
  // The known tasks alone have made more events than this.
  if (after < 10) await stream.until('an event', () => stream.events.length > 0);
  if (stream.violation !== undefined) throw stream.violation;
  return { status: stream.status, code: undefined };
}
