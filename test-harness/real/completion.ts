/** Generations asked of a server through the adapter, and without it for comparison. */
import type {
  EngineRequest,
  EngineResult,
  TokenLogprob,
  WorkerAdapter,
} from '@llama-orch/worker-adapters';
import { requestOf as anyRequest } from '@llama-orch/worker-adapters/conformance';

/** Bounds that a loaded machine does not reach. */
export const PATIENT = {
  connectMs: 30_000,
  controlMs: 30_000,
  headersMs: 60_000,
  bodyMs: 60_000,
} as const;

/** As tiny-haiku's template renders it. */
export const PROMPT = '<|user|>Write a haiku about rain.<|end|><|assistant|>';

/** The model's own text ends after some twenty tokens; under this grammar it goes on for `chars`. */
export function longText(chars: number): string {
  return `root ::= [a-z ]{${chars}}`;
}

/** Two thousand tokens, because no token is longer than a letter of it: some seconds of work. */
export const LONG_WORK = 'root ::= ("q" "z"){1000}';

/** What every test asks for unless it says otherwise: the model's own text, to its end. */
export function requestOf(
  change: Partial<EngineRequest> = {},
  sampling: Partial<EngineRequest['sampling']> = {},
): EngineRequest {
  const base = anyRequest({ prompt: PROMPT, maxTokens: undefined, seed: 7 });
  return { ...base, ...change, sampling: { ...base.sampling, ...sampling } };
}

export interface Generation {
  readonly text: string;
  readonly pieces: readonly string[];
  readonly logprobs: readonly (readonly TokenLogprob[])[];
  readonly result: EngineResult;
}

/** Runs one generation to its end. @param onPieces called with each delivery */
export async function generate(
  adapter: WorkerAdapter,
  request: EngineRequest,
  options: {
    readonly signal?: AbortSignal;
    readonly onPieces?: (soFar: number) => void | Promise<void>;
  } = {},
): Promise<Generation> {
  const { signal = new AbortController().signal, onPieces } = options;
  const pieces: string[] = [];
  const logprobs: (readonly TokenLogprob[])[] = [];
  let started = 0;
  const result = await adapter.submit(
    request,
    {
      started: () => {
        started += 1;
      },
      tokens: (more, their = []) => {
        if (started !== 1) throw new Error(`tokens after ${started} starts`);
        pieces.push(...more);
        logprobs.push(...their);
        return onPieces?.(pieces.length);
      },
    },
    signal,
  );
  return { text: pieces.join(''), pieces, logprobs, result };
}

export interface NativeAnswer {
  readonly content: string;
  readonly tokens_predicted: number;
  readonly tokens_evaluated: number;
  readonly stop_type: string;
  readonly timings: { readonly cache_n: number };
}

/** `POST /completion` without a stream, with the settings of `requestOf` and nothing else. */
export async function completeNatively(url: string, change: object = {}): Promise<NativeAnswer> {
  const body = {
    prompt: PROMPT,
    n_predict: -1,
    seed: 7,
    samplers: ['top_k', 'top_p', 'min_p', 'temperature'],
    temperature: 0.8,
    top_k: 40,
    top_p: 0.95,
    min_p: 0.05,
    cache_prompt: false,
    ...change,
  };
  return (await fetchJson(`${url}/completion`, body)) as NativeAnswer;
}

/** A slot of `GET /slots`, the part that is looked at. */
export interface SlotView {
  readonly id: number;
  readonly is_processing: boolean;
  readonly n_prompt_tokens?: number;
}

export async function slotsOf(url: string): Promise<readonly SlotView[]> {
  return (await fetchJson(`${url}/slots`)) as readonly SlotView[];
}

/** @param body posts it; without it the request is a GET */
async function fetchJson(url: string, body?: object): Promise<unknown> {
  const response = await fetch(
    url,
    body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) },
  );
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return await response.json();
}
