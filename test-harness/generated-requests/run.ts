/** Many generated requests at once, over all operations, and what became of them. */
import type { OperationId } from '@llama-orch/contracts';
import { headerCheck, type Contract, type RequestCase } from '@llama-orch/contracts/testing';
import fc from 'fast-check';
import { waitFor } from '../src/wait-for.ts';
import { exchangeCase } from './exchange-case.ts';
import { generatorsOf } from './generators.ts';
import { backlogOf, type Target } from './target.ts';

export interface RunOptions {
  /** For each operation: half of them valid, half at fault where anything can be. */
  readonly requests: number;
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RunReport {
  readonly options: RunOptions;
  /** Operation → kind of request and what it was answered → how often. */
  readonly tally: ReadonlyMap<OperationId, ReadonlyMap<string, number>>;
  readonly sent: number;
  readonly tookMs: number;
  /** Every breach of the contract, as far as they are kept. */
  readonly violations: readonly string[];
  readonly violated: number;
}

/** Requests of one operation that are made at a time, to be sent among those of the others. */
const CHUNK = 100;
const KEPT_VIOLATIONS = 50;
/** Tasks that may wait or run before more are sent. */
const MAX_BACKLOG = 2_000;

export async function runGenerated(
  contracts: readonly Contract[],
  target: Target,
  options: RunOptions,
): Promise<RunReport> {
  const { requests, concurrency, seed, onProgress } = options;
  const generators = generatorsOf(contracts);
  const checkHeaders = headerCheck(contracts);
  const tally = new Map<OperationId, Map<string, number>>();
  const violations: string[] = [];
  const startedAtMs = performance.now();
  let violated = 0;
  let sent = 0;

  const exchange = async (request: RequestCase): Promise<void> => {
    const kind = request.fault === undefined ? 'valid' : 'faulty';
    let came: string;
    try {
      const { status, code } = await exchangeCase(request, target, checkHeaders);
      came = `${kind} ${status}${code === undefined ? '' : ` ${code}`}`;
    } catch (error) {
      violated += 1;
      came = `${kind} VIOLATION`;
      if (violations.length < KEPT_VIOLATIONS) {
        violations.push(error instanceof Error ? error.message : String(error));
      }
    }
    sent += 1;
    const row = tally.get(request.operationId) ?? new Map<string, number>();
    row.set(came, (row.get(came) ?? 0) + 1);
    tally.set(request.operationId, row);
  };

  for (let done = 0; done < requests; done += CHUNK) {
    const numRuns = Math.min(CHUNK, requests - done);
    const mixed = generators.flatMap(({ valid, faulty }) => {
      const any = faulty === undefined ? valid : fc.oneof(valid, faulty);
      return fc.sample(any, { numRuns, seed: seed + done });
    });
    // Request n of every operation, then request n + 1: neighbours are of different kinds.
    const order = mixed.map(
      (_, n) => (n % generators.length) * numRuns + Math.floor(n / generators.length),
    );
    await atOnce(
      concurrency,
      order.flatMap((n) => mixed[n] ?? []),
      exchange,
    );
    await waitFor('a shorter queue', async () => (await backlogOf(target)) < MAX_BACKLOG, 120_000);
    onProgress?.(sent, requests * generators.length);
  }
  const tookMs = performance.now() - startedAtMs;
  return { options, tally, sent, tookMs, violations, violated };
}

/** Runs `task` for each item, never more than `limit` at a time. */
async function atOnce<T>(
  limit: number,
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await task(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
