/**
 * Embeddings and rankings: tasks that are answered whole, without a token. What is asked of the engine,
 * and what of its answer is kept.
 */
import type { TaskRequest, TaskResult } from '@llama-orch/contracts';
import type { WorkerAdapter } from '@llama-orch/worker-adapters';

export type WholeResult =
  Required<Pick<TaskResult, 'embeddings'>> | Required<Pick<TaskResult, 'ranking'>>;

export interface WholeAnswer {
  readonly result: WholeResult;
  readonly tokensIn: number;
}

/** One text of a request that the engine reads by itself. */
export interface WholeText {
  /** Where it stands in the request. */
  readonly path: string;
  /** What shares its context: the text itself, and the query where there is one. */
  readonly parts: readonly string[];
}

export function isAnsweredWhole({ workload }: TaskRequest): boolean {
  return workload === 'embedding' || workload === 'rerank';
}

/** Empty for a completion. */
export function textsOf(request: TaskRequest): readonly WholeText[] {
  const { workload, prompt = '', inputs, query = '', documents = [] } = request;
  if (workload === 'rerank') {
    return documents.map((text, n) => ({ path: `/documents/${n}`, parts: [query, text] }));
  }
  if (workload !== 'embedding') return [];
  if (inputs === undefined) return [{ path: '/prompt', parts: [prompt] }];
  return inputs.map((text, n) => ({ path: `/inputs/${n}`, parts: [text] }));
}

/** @throws EngineError; the signal's reason */
export async function askWhole(
  adapter: WorkerAdapter,
  ids: { readonly taskId: string; readonly correlationId: string },
  request: TaskRequest,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  const { workload, prompt = '', inputs = [prompt], query = '', documents = [] } = request;
  if (workload === 'embedding') {
    const { embeddings, tokensIn } = await adapter.embed({ ...ids, inputs }, signal);
    return { result: { embeddings }, tokensIn };
  }
  const topN = request.top_n;
  const { results, tokensIn } = await adapter.rerank({ ...ids, query, documents, topN }, signal);
  // Engines differ in whether they cut the list themselves.
  const ranking = results.slice(0, topN).map(({ index, score }) => ({ index, score }));
  return { result: { ranking }, tokensIn };
}

/** What `output_sha256` is taken of: canonical JSON (RFC 8785), as every object here has its keys in order. */
export function wholeJson(result: WholeResult): string {
  return JSON.stringify(result);
}
