/**
 * `npm run pact:coverage`: which answers of the contracts the pacts speak of. Reads the pact files alone, so
 * that nothing counts as covered that is not written there.
 */
import { fileURLToPath } from 'node:url';
import { OPERATIONS, type OperationId } from '@llama-orch/contracts';
import { SseDecoder } from '../src/sse-decoder.ts';
import { responseHeaders, streamEvents, type JsonObject } from './contract-examples.ts';
import { readPacts, type Interaction, type PactFile } from './pact-files.ts';

export interface Exemption {
  readonly operationId: OperationId;
  readonly status: string;
  readonly reason: string;
}

/** Answers that no situation brings about. Each must stay out of the pacts, or leave this table. */
export const UNPROVOKABLE: readonly Exemption[] = [
  {
    operationId: 'getCapabilities',
    status: '403',
    reason: 'every key has one of the scopes, and any of them will do',
  },
];

const NO_BUDGETS = 'nothing that this daemon can be configured with is a budget';
/** Headers that the contract allows and no answer of this daemon has. */
export const UNSENT_HEADERS: Readonly<Record<string, string>> = {
  'X-Budget-Tokens-Remaining': NO_BUDGETS,
  'X-Budget-Time-Remaining-Ms': NO_BUDGETS,
  'X-Budget-Cost-Remaining': NO_BUDGETS,
};

/** Headers of `default` that the refusal which stands for all of them, a 405, has no reason to send. */
const OF_OTHER_DEFAULTS: ReadonlySet<string> = new Set(['Retry-After']);

export interface Coverage {
  /** Operation → status as the contract names it → interactions. */
  readonly counts: ReadonlyMap<OperationId, ReadonlyMap<string, number>>;
  /** What is missing or does not fit, one line each. */
  readonly faults: readonly string[];
}

export function coverageOf(
  pacts: readonly PactFile[],
  exemptions: readonly Exemption[] = UNPROVOKABLE,
): Coverage {
  const interactions = pacts.flatMap((pact) => pact.interactions);
  const ids = Object.keys(OPERATIONS) as OperationId[];
  const counts = new Map(
    ids.map((id) => [
      id,
      new Map(
        Object.keys(OPERATIONS[id].responses).map((status) => [
          status,
          interactions.filter((each) => isOf(each, id, status)).length,
        ]),
      ),
    ]),
  );
  const strangers = interactions.filter((each) => {
    const id = operationOf(each);
    return id === undefined || !statusesOf(id).some((status) => isOf(each, id, status));
  });
  return {
    counts,
    faults: [
      ...strangers.map(({ description }) => `"${description}" is no operation of the contracts`),
      ...ids.flatMap((id) =>
        statusFaults(id, counts.get(id) ?? new Map<string, number>(), exemptions),
      ),
      ...ids.flatMap((id) => headerFaults(id, interactions)),
      ...eventFaults(interactions),
    ],
  };
}

const statusesOf = (id: OperationId): readonly string[] => Object.keys(OPERATIONS[id].responses);

function operationOf({ description, request }: Interaction): OperationId | undefined {
  const [name = ''] = description.split(':');
  if (!Object.hasOwn(OPERATIONS, name)) return undefined;
  const pattern = OPERATIONS[name as OperationId].path.replaceAll(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(request.path) ? (name as OperationId) : undefined;
}

/** What the contract has no line for is its `default`, which a method that is not allowed stands for. */
function isOf(interaction: Interaction, id: OperationId, status: string): boolean {
  if (operationOf(interaction) !== id) return false;
  const { request, response } = interaction;
  if (status === 'default') {
    return request.method === 'PATCH' && !statusesOf(id).includes(String(response.status));
  }
  return request.method === OPERATIONS[id].method && String(response.status) === status;
}

function statusFaults(
  id: OperationId,
  counts: ReadonlyMap<string, number>,
  exemptions: readonly Exemption[],
): readonly string[] {
  return [...counts].flatMap(([status, count]) => {
    const isExempt = exemptions.some((each) => each.operationId === id && each.status === status);
    if (count === 0 && !isExempt) return `${id} ${status}: no interaction`;
    if (count > 0 && isExempt) return `${id} ${status}: is in the pacts, and not unprovokable`;
    return [];
  });
}

function headerFaults(id: OperationId, interactions: readonly Interaction[]): readonly string[] {
  return statusesOf(id).flatMap((status) => {
    const mine = interactions.filter((each) => isOf(each, id, status));
    const present = new Set(
      mine.flatMap(({ response }) => Object.keys((response['headers'] ?? {}) as JsonObject)),
    );
    const expected = responseHeaders(id, status).filter(
      (name) => status !== 'default' || !OF_OTHER_DEFAULTS.has(name),
    );
    return expected.flatMap((name) => {
      if (mine.length === 0 || present.has(name) !== Object.hasOwn(UNSENT_HEADERS, name)) return [];
      return present.has(name)
        ? `${id} ${status}: has ${name}, which is never sent`
        : `${id} ${status}: no interaction has ${name}`;
    });
  });
}

function eventFaults(interactions: readonly Interaction[]): readonly string[] {
  const transcripts = interactions.flatMap(({ response }) => {
    const { content = '', contentType = '' } = (response['body'] ?? {}) as {
      readonly content?: unknown;
      readonly contentType?: string;
    };
    const isStream = contentType.startsWith('text/event-stream');
    return isStream && typeof content === 'string' ? content : [];
  });
  const seen = new Set(
    transcripts.flatMap((text) =>
      new SseDecoder().push(Buffer.from(text)).map(({ event }) => event),
    ),
  );
  return streamEvents().flatMap((event) =>
    seen.has(event) ? [] : `no transcript has the event ${event}`,
  );
}

/** The table of all answers: how many interactions speak of each. */
export function reportOf({ counts, faults }: Coverage): string {
  const lines = [...counts].map(([id, statuses]) => {
    const cells = [...statuses].map(([status, count]) => `${status}×${count}`);
    return `${id.padEnd(20)} ${cells.join('  ')}`;
  });
  const exempt = UNPROVOKABLE.map(
    ({ operationId, status, reason }) => `not provoked: ${operationId} ${status}: ${reason}`,
  );
  const unsent = Object.entries(UNSENT_HEADERS).map(
    ([name, reason]) => `never sent: ${name}: ${reason}`,
  );
  const all = [...counts.values()].flatMap((statuses) => [...statuses.values()]);
  const covered = all.filter((count) => count > 0).length;
  const sum = all.reduce((total, count) => total + count, 0);
  return [
    ...lines,
    ...exempt,
    ...unsent,
    ...faults.map((fault) => `MISSING ${fault}`),
    `${covered} of ${all.length} answers of ${counts.size} operations, in ${sum} interactions`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const coverage = coverageOf(await readPacts());
  process.stdout.write(reportOf(coverage));
  process.exitCode = coverage.faults.length === 0 ? 0 : 1;
}
