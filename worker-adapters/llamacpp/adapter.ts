import { EngineConnection, malformed } from '../api/engine-connection.ts';
import { field, parseJson, stringField } from '../api/json-fields.ts';
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
import { toCompletionBody } from './completion-request.ts';
import { createLogprobReader, readCompletionEvent } from './completion-stream.ts';
import { refusal } from './errors.ts';
import { kvUsageOf, readMetrics } from './metrics.ts';
import { toWellFormedMessages } from '../api/openai-request.ts';
import { embeddingBody, rankingBody, readEmbeddings, readRanking } from '../api/pooling.ts';
import { readProps } from './props.ts';
import { LlamaCppSlots } from './slots.ts';

export const LLAMACPP_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion', 'embedding', 'rerank'],
  determinism: 'exact-single-slot',
  interruptibleDecode: true,
  features: [
    'tokenize',
    'chat_template',
    'kv_reuse',
    'kv_erase',
    'kv_save',
    'grammar',
    'json_schema',
    'logprobs',
    'min_p',
    'top_k',
  ],
};

/** The last event repeats the prompt and all settings: room for a 1M-token context. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** A tokenized prompt of the largest contexts, at up to eight characters per id. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;

/** Opens an adapter for one `llama-server`, or for any process that speaks its native HTTP API. */
export function openLlamaCpp(options: AdapterOptions): WorkerAdapter {
  return new LlamaCppAdapter(options);
}

class LlamaCppAdapter implements WorkerAdapter {
  readonly engine = 'llamacpp';
  readonly url: string;
  readonly capabilities = LLAMACPP_CAPABILITIES;
  readonly slots: LlamaCppSlots;
  readonly #connection: EngineConnection;
  /** Unknown until `props` was read; the safe assumption until then. */
  #exactPrefixReuse = false;

  constructor(options: AdapterOptions) {
    this.url = options.url;
    this.#connection = new EngineConnection(options, {
      engine: 'llamacpp',
      maxEventBytes: MAX_EVENT_BYTES,
      maxControlBytes: MAX_CONTROL_BYTES,
      refusal,
      refusedWhileLoading: false,
    });
    this.slots = new LlamaCppSlots(this.#connection);
  }

  health(signal?: AbortSignal): Promise<EngineHealth> {
    return this.#connection.health('/health', signal, ({ status }) => {
      if (status === 200) return { state: 'ready' };
      if (status === 503) return { state: 'loading' };
      return { state: 'down', reason: `health answered ${status}` };
    });
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    const props = readProps(await this.#connection.json({ method: 'GET', path: '/props', signal }));
    this.#exactPrefixReuse = props.exactPrefixReuse;
    return props;
  }

  /** Counts as `/completion` will: with the model's own leading token and special tokens parsed. */
  async countTokens(prompt: EnginePrompt, signal?: AbortSignal): Promise<number> {
    const content = await this.#textOf(prompt, signal);
    const body = { content: content.toWellFormed(), add_special: true, parse_special: true };
    const answer = await this.#connection.json({ method: 'POST', path: '/tokenize', body, signal });
    const tokens = field(answer, 'tokens');
    if (!Array.isArray(tokens)) throw malformed('llamacpp', '/tokenize');
    return tokens.length;
  }

  async applyTemplate(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<string> {
    const body = { messages: toWellFormedMessages(messages) };
    const path = '/apply-template';
    const answer = await this.#connection.json({ method: 'POST', path, body, signal });
    const prompt = stringField(answer, 'prompt');
    if (prompt === undefined) throw malformed('llamacpp', path);
    return prompt;
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { logprobs } = request.sampling;
    // Most prompts are text, and are asked for within this very turn.
    const prompt =
      typeof request.prompt === 'string'
        ? request.prompt
        : await this.applyTemplate(request.prompt, signal);
    return this.#connection.stream({
      path: '/completion',
      body: toCompletionBody(request, prompt, { exactPrefixReuse: this.#exactPrefixReuse }),
      correlationId: request.correlationId,
      sink,
      signal,
      logprobs: logprobs > 0,
      read: logprobs > 0 ? createLogprobReader(logprobs) : readCompletionEvent,
    });
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    const { inputs, correlationId } = request;
    const path = '/v1/embeddings';
    const body = embeddingBody(inputs);
    const answer = await this.#connection.compute({
      method: 'POST',
      path,
      body,
      signal,
      correlationId,
    });
    const result = readEmbeddings(answer, inputs.length);
    if (result === undefined) throw malformed('llamacpp', path);
    return result;
  }

  async rerank(request: RerankRequest, signal: AbortSignal): Promise<RerankResult> {
    const { documents, correlationId } = request;
    const path = '/v1/rerank';
    const body = {
      ...rankingBody(request),
      top_n: request.topN ?? documents.length,
    };
    const answer = await this.#connection.compute({
      method: 'POST',
      path,
      body,
      signal,
      correlationId,
    });
    const result = readRanking(answer, documents.length);
    if (result === undefined) throw malformed('llamacpp', path);
    return result;
  }

  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    const [gauges, slots] = await Promise.all([
      this.#connection.call({ method: 'GET', path: '/metrics', signal }),
      this.#connection.call({ method: 'GET', path: '/slots', signal }),
    ]);
    const exposition = this.#connection.textOf(gauges);
    const kvUsage = slots.status === 200 ? kvUsageOf(parseJson(slots.text)) : undefined;
    return { ...readMetrics(exposition), kvUsage };
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  async #textOf(prompt: EnginePrompt, signal: AbortSignal | undefined): Promise<string> {
    return typeof prompt === 'string' ? prompt : this.applyTemplate(prompt, signal);
  }
}
