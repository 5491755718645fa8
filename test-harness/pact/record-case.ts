/** A consumer test: our own client against Pact's mock of the provider, which writes the pact. */
import './without-tracking.ts';
import type { HostSync, OperationId } from '@llama-orch/contracts';
import { OPERATIONS } from '@llama-orch/contracts';
import { createHttpTransport, SyncRefused } from '@llama-orch/pool-managerd/sync';
import { MatchersV3, PactV4 } from '@pact-foundation/pact';
import { DaemonClient, type CallOptions } from '../src/daemon-client.ts';
import type { EventStream } from '../src/event-stream.ts';
import { SseDecoder } from '../src/sse-decoder.ts';
import { PROVIDER, type CaseRequest, type PactCase } from './pact-case.ts';

/** How long pool-managerd waits for the answer of the mock, ms. */
const TRANSPORT_MS = 10_000;

/**
 * Calls the mock and writes the interaction to the consumer's file in `directory`.
 * @throws Error when the client sent something else than the pact says, or does not understand the answer;
 * ContractViolation when the answer expected breaks the contract
 */
export async function recordCase(pactCase: PactCase, directory: string): Promise<void> {
  const { consumer, description, situation, request, response } = pactCase;
  const pact = new PactV4({ consumer, provider: PROVIDER, dir: directory, logLevel: 'error' });
  const path = pathOf(pactCase.operationId, request);
  await pact
    .addInteraction()
    .given(situation.name, { ...situation.parameters })
    .uponReceiving(description)
    .withRequest(request.method, path, (builder) => {
      builder.headers(request.headers).query(request.query);
      const { body, text } = request;
      if (body !== undefined) builder.jsonBody(body);
      if (text !== undefined) builder.body(text.type, Buffer.from(text.text));
    })
    .willRespondWith(response.status, (builder) => {
      builder.headers(response.headers);
      const { body, text } = response;
      if (body !== undefined) builder.jsonBody(body);
      if (text !== undefined) {
        const rules = [MatchersV3.regex(text.pattern, text.example)];
        builder.body(text.type, Buffer.from(text.example));
        builder.matchingRules({ body: [{ path: '$', rules }] });
      }
    })
    .executeTest((mock) => callAsConsumer(pactCase, mock.url));
}

function pathOf(operationId: OperationId, { path }: CaseRequest): string {
  const values = [...path];
  return OPERATIONS[operationId].path.replace(/\{\w+\}/g, () => values.shift() ?? '');
}

async function callAsConsumer(pactCase: PactCase, url: string): Promise<void> {
  const { consumer, request, response } = pactCase;
  if (consumer === 'pool-managerd' && !('X-Correlation-Id' in request.headers)) {
    await callAsHost(pactCase, url);
    return;
  }
  await using client = new DaemonClient(() => url);
  if (response.status === 200 && request.headers['Accept'] === 'text/event-stream') {
    await followStream(pactCase, client);
    return;
  }
  const options = callOptions(request);
  const answer =
    response.status === 405
      ? await refusedAnswer(pactCase, client, options)
      : await client.call(pactCase.operationId, options);
  if (answer.status !== response.status) {
    throw new Error(`${answer.status} instead of ${response.status}: ${answer.text}`);
  }
}

/** What is no operation of the contract is held against its envelope alone. */
async function refusedAnswer(
  { operationId, request, response }: PactCase,
  client: DaemonClient,
  options: CallOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  const path = pathOf(operationId, request) + queryOf(request);
  const { message } = await client.refused(request.method, path, response.status, options);
  return { status: response.status, text: message };
}

function callOptions({ path, query, headers, body, text }: CaseRequest): CallOptions {
  return {
    path,
    query,
    headers: {
      ...lowerCase(headers),
      ...(text === undefined ? {} : { 'content-type': text.type }),
    },
    ...(body === undefined ? {} : { body }),
    ...(text === undefined ? {} : { rawBody: text.text }),
  };
}

/** As the client writes its own, so that none is sent twice. */
function lowerCase(headers: CaseRequest['headers']): CaseRequest['headers'] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function queryOf({ query }: CaseRequest): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? '' : `?${text}`;
}

/** Reads the transcript to its end; every event is held against the contract on the way. */
async function followStream({ request, response }: PactCase, client: DaemonClient): Promise<void> {
  const { path, body, headers } = request;
  const options = { headers: lowerCase(headers) };
  await using stream: EventStream =
    body === undefined
      ? await client.stream(path[0] ?? '', undefined, options)
      : await client.postStream(body as never, options);
  await stream.toEnd();
  const expected = new SseDecoder().push(Buffer.from(response.text?.example ?? ''));
  const names = (events: readonly { readonly event: string }[]) =>
    events.map(({ event }) => event).join(' ');
  if (names(stream.events) !== names(expected)) {
    throw new Error(`events ${names(stream.events)} instead of ${names(expected)}`);
  }
}

/** pool-managerd's own way to orchestratord. */
async function callAsHost(
  { operationId, request, response }: PactCase,
  url: string,
): Promise<void> {
  const [hostId = ''] = request.path;
  const key = /^Bearer (.+)$/.exec(request.headers['Authorization'] ?? '')?.[1];
  const transport = createHttpTransport({ url, hostId, key });
  const signal = AbortSignal.timeout(TRANSPORT_MS);
  try {
    // Whoever takes leave goes, whatever the answer is.
    if (operationId === 'removeHost') {
      await transport.leave(request.query['instance_id'] ?? '', signal);
      return;
    }
    const refusal = await transport.sync(request.body as unknown as HostSync, signal).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (response.status === 200 ? refusal === undefined : refusal instanceof SyncRefused) return;
    throw new Error(`a sync that is answered ${response.status}`, { cause: refusal });
  } finally {
    await transport.close();
  }
}
