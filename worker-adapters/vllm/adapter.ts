import { EngineConnection, malformed } from '../api/engine-connection.ts';
import { startAtFirstToken } from '../api/first-token-start.ts';
import { numberField } from '../api/json-fields.ts';
import { openAiRoute, toWellFormedMessages } from '../api/openai-request.ts';
import { embeddingBody, rankingBody, readEmbeddings, readRanking } from '../api/pooling.ts';
import { EngineError } from '../api/types.ts';
import type {
  AdapterCapabilities,
  AdapterOptions,
  ChatMessage,
  EmbedRequest,
  EmbedResult,
  EngineHealth,
  EngineMetrics,
  EnginePrompt,
  EngineProps,
  EngineRequest,
  EngineResult,
  RerankRequest,
  RerankResult,
  TokenSink,
  WorkerAdapter,
} from '../api/types.ts';
import { toVllmBody } from './completion-request.ts';
import { createVllmReader } from './completion-stream.ts';
import { refusal, toPoolingFailure } from './errors.ts';
import { readMetrics } from './metrics.ts';
import { readProps } from './props.ts';

export const VLLM_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion', 'embedding', 'rerank'],
  // With VLLM_BATCH_INVARIANT=1 it is exact, which no route tells.
  determinism: 'none',
  interruptibleDecode: true,
  features: ['tokenize', 'kv_reuse', 'grammar', 'json_schema', 'logprobs', 'min_p', 'top_k'],
};

/** A chunk of many tokens with twenty alternatives each. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;
/** A tokenized prompt of the largest contexts, or a hundred long embeddings. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;

/** Opens an adapter for one `vllm serve` over its OpenAI-compatible API. */
export function openVllm(options: AdapterOptions): WorkerAdapter {
  return new VllmAdapter(options);
}

class VllmAdapter implements WorkerAdapter {
  readonly engine = 'vllm';
  readonly url: string;
  readonly capabilities = VLLM_CAPABILITIES;
  readonly #connection: EngineConnection;
  readonly #model: string | undefined;

  constructor(options: AdapterOptions) {
    this.url = options.url;
    this.#model = options.model;
    this.#connection = new EngineConnection(options, {
      engine: 'vllm',
      maxEventBytes: MAX_EVENT_BYTES,
      maxControlBytes: MAX_CONTROL_BYTES,
      refusal,
      refusedWhileLoading: true,
    });
  }

  /** 503 means that the engine behind the server is dead; vLLM stops itself then. */
  health(signal?: AbortSignal): Promise<EngineHealth> {
    return this.#connection.health('/health', signal, ({ status }) =>
      status === 200 ? { state: 'ready' } : { state: 'down', reason: `health answered ${status}` },
    );
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    const [version, models, metrics] = await Promise.all([
      this.#connection.json({ method: 'GET', path: '/version', signal }),
      this.#connection.json({ method: 'GET', path: '/v1/models', signal }),
      this.#connection.call({ method: 'GET', path: '/metrics', signal }),
    ]);
    const exposition = metrics.status === 200 ? metrics.text : undefined;
    return readProps({ version, models, exposition }, this.#model);
  }

  /** Counts as the completion routes will, messages with the chat template around them. */
  async countTokens(prompt: EnginePrompt, signal?: AbortSignal): Promise<number> {
    return (await this.#measure(prompt, signal)).tokens;
  }

  applyTemplate(_messages: readonly ChatMessage[]): Promise<string> {
    const message = 'only the engine can render chat messages';
    return Promise.reject(new EngineError('permanent', 'vllm', message));
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { logprobs } = request.sampling;
    const maxTokens = request.maxTokens ?? (await this.#roomAfter(request.prompt, signal));
    // vLLM sends the status before the scheduler has seen the request.
    const waiting = startAtFirstToken(sink);
    const result = await this.#connection.stream({
      path: openAiRoute(request),
      body: toVllmBody(request, maxTokens, this.#model),
      correlationId: request.correlationId,
      sink: waiting.sink,
      signal,
      logprobs: logprobs > 0,
      read: createVllmReader(logprobs),
    });
    waiting.settle();
    return result;
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    const path = '/v1/embeddings';
    const { inputs, correlationId } = request;
    const body = embeddingBody(inputs);
    const answer = await this.#pool('embed', path, body, correlationId, signal);
    const result = readEmbeddings(answer, inputs.length);
    if (result === undefined) throw malformed('vllm', path);
    return result;
  }

  async rerank(request: RerankRequest, signal: AbortSignal): Promise<RerankResult> {
    const path = '/v1/rerank';
    const { documents, correlationId } = request;
    const body = {
      ...rankingBody(request),
      top_n: request.topN ?? documents.length,
    };
    const answer = await this.#pool('rank', path, body, correlationId, signal);
    const result = readRanking(answer, documents.length);
    if (result === undefined) throw malformed('vllm', path);
    return result;
  }

  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    return readMetrics(await this.#connection.text({ method: 'GET', path: '/metrics', signal }));
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  /** Tokens the context has left for output; where there are none, 1, and the engine refuses. */
  async #roomAfter(prompt: EnginePrompt, signal: AbortSignal): Promise<number> {
    const { tokens, ctx } = await this.#measure(prompt, signal);
    return Math.max(ctx - tokens, 1);
  }

  async #measure(prompt: EnginePrompt, signal: AbortSignal | undefined) {
    const path = '/tokenize';
    const text =
      typeof prompt === 'string'
        ? { prompt: prompt.toWellFormed(), add_special_tokens: true }
        : {
            messages: toWellFormedMessages(prompt),
            add_special_tokens: false,
            add_generation_prompt: true,
          };
    const body = { model: this.#model, ...text, return_token_strs: false };
    const answer = await this.#connection.json({ method: 'POST', path, body, signal });
    const tokens = numberField(answer, 'count');
    const ctx = numberField(answer, 'max_model_len');
    if (tokens === undefined || ctx === undefined) throw malformed('vllm', path);
    return { tokens, ctx };
  }

  async #pool(
    task: 'embed' | 'rank',
    path: string,
    fields: object,
    correlationId: string,
    signal: AbortSignal,
  ): Promise<unknown> {
    const body = { model: this.#model, ...fields };
    try {
      return await this.#connection.compute({ method: 'POST', path, body, signal, correlationId });
    } catch (error) {
      throw toPoolingFailure(error, task);
    }
  }
}
