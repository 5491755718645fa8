import { EngineConnection, malformed } from '../api/engine-connection.ts';
import { startAtFirstToken } from '../api/first-token-start.ts';
import { field } from '../api/json-fields.ts';
import { toWellFormedMessages } from '../api/openai-request.ts';
import { createStopReader } from '../api/stop-reader.ts';
import { EngineError } from '../api/types.ts';
import type {
  AdapterCapabilities,
  AdapterOptions,
  ChatMessage,
  EmbedResult,
  EngineHealth,
  EngineMetrics,
  EnginePrompt,
  EngineProps,
  EngineRequest,
  EngineResult,
  RerankResult,
  TokenSink,
  WorkerAdapter,
} from '../api/types.ts';
import { toChatBody, toGenerateBody } from './completion-request.ts';
import { createChatReader, endsGeneration, readTokenEvent } from './completion-stream.ts';
import { refusal } from './errors.ts';
import { kvTokensOf, readMetrics } from './metrics.ts';
import { DEFAULT_LIMITS, readInfo } from './props.ts';
import type { TgiInfo } from './props.ts';

export const TGI_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion'],
  // Logits depend on what else is in the batch.
  determinism: 'none',
  interruptibleDecode: true,
  features: ['tokenize', 'json_schema'],
};

/** The last event repeats all of the text. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** A tokenized prompt of 800,000 tokens, at some 80 bytes for the text and the place of each. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024;

/** Opens an adapter for one `text-generation-launcher` (Hugging Face TGI, release 3). */
export function openTgi(options: AdapterOptions): WorkerAdapter {
  return new TgiAdapter(options);
}

class TgiAdapter implements WorkerAdapter {
  readonly engine = 'tgi';
  readonly url: string;
  readonly capabilities = TGI_CAPABILITIES;
  readonly #connection: EngineConnection;
  /** Unknown until `props` was read. */
  #info: TgiInfo | undefined;

  constructor(options: AdapterOptions) {
    this.url = options.url;
    this.#connection = new EngineConnection(options, {
      engine: 'tgi',
      maxEventBytes: MAX_EVENT_BYTES,
      maxControlBytes: MAX_CONTROL_BYTES,
      refusal,
      // The router listens only when all shards are ready.
      refusedWhileLoading: true,
    });
  }

  /** 503 is an engine whose shards fail; one that loads does not answer. */
  health(signal?: AbortSignal): Promise<EngineHealth> {
    return this.#connection.health('/health', signal, ({ status }) =>
      status === 200 ? { state: 'ready' } : { state: 'down', reason: `health answered ${status}` },
    );
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    return (await this.#readInfo(signal)).props;
  }

  /** Counts as a generation will, with the special tokens that the route adds or the template writes. */
  async countTokens(prompt: EnginePrompt, signal?: AbortSignal): Promise<number> {
    const isText = typeof prompt === 'string';
    const path = isText ? '/tokenize' : '/chat_tokenize';
    const body = isText
      ? { inputs: prompt.toWellFormed() }
      : { model: 'tgi', messages: toWellFormedMessages(prompt) };
    const answer = await this.#connection.json({ method: 'POST', path, body, signal });
    const tokens = isText ? answer : field(answer, 'tokenize_response');
    if (!Array.isArray(tokens)) throw malformed('tgi', path);
    return tokens.length;
  }

  /** @throws EngineError `permanent`: only the chat route of the engine itself renders messages */
  applyTemplate(): Promise<string> {
    return Promise.reject(cannot('render messages apart from a generation'));
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { prompt, correlationId, sampling } = request;
    const isText = typeof prompt === 'string';
    // Most prompts are text, and are asked for within this very turn.
    const body = isText
      ? toGenerateBody(request, prompt, this.#limits)
      : toChatBody(request, prompt, await this.#maxTokensOf(request, prompt, signal), this.#limits);
    const path = isText ? '/generate_stream' : '/v1/chat/completions';
    const read = isText ? readTokenEvent : createChatReader();
    // TGI sends the status when a request arrives, and may refuse it in the stream.
    const waiting = startAtFirstToken(sink);
    // Its probabilities are those after the sampling filters, so none are asked for.
    const call = { path, body, correlationId, sink: waiting.sink, signal, logprobs: false };
    if (sampling.stop.length === 0) {
      const result = await this.#connection.stream({ ...call, read });
      waiting.settle();
      return result;
    }

    const stops = sampling.stop.map((stop) => stop.toWellFormed());
    const { result, early } = await this.#connection.stream({
      ...call,
      read: createStopReader(stops, read, endsGeneration),
      stopsAtResult: true,
    });
    waiting.settle();
    return early ? { ...result, tokensIn: await this.#tokensIn(prompt, signal) } : result;
  }

  embed(): Promise<EmbedResult> {
    return Promise.reject(cannot('embed'));
  }

  rerank(): Promise<RerankResult> {
    return Promise.reject(cannot('rank'));
  }

  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    return readMetrics(await this.#connection.text({ method: 'GET', path: '/metrics', signal }));
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  get #limits() {
    return this.#info?.limits ?? DEFAULT_LIMITS;
  }

  async #readInfo(signal: AbortSignal | undefined): Promise<TgiInfo> {
    const [info, metrics] = await Promise.all([
      this.#connection.json({ method: 'GET', path: '/info', signal }),
      this.#connection.call({ method: 'GET', path: '/metrics', signal }),
    ]);
    this.#info = readInfo(info, metrics.status === 200 ? kvTokensOf(metrics.text) : undefined);
    return this.#info;
  }

  /** The chat route has a bound of its own where none is sent: the rest of the context. */
  async #maxTokensOf(
    { maxTokens }: EngineRequest,
    messages: readonly ChatMessage[],
    signal: AbortSignal,
  ): Promise<number> {
    if (maxTokens !== undefined) return maxTokens;
    const [{ props }, tokensIn] = await Promise.all([
      this.#info ?? this.#readInfo(signal),
      this.countTokens(messages, signal),
    ]);
    return Math.max(1, props.ctx - tokensIn);
  }

  /** After the text has arrived: that its prompt cannot be counted makes it no failure. */
  async #tokensIn(prompt: EnginePrompt, signal: AbortSignal): Promise<number> {
    try {
      return await this.countTokens(prompt, signal);
    } catch (error) {
      if (error instanceof EngineError) return 0;
      throw error;
    }
  }
}

function cannot(what: string): EngineError {
  return new EngineError('permanent', 'tgi', `TGI does not ${what}`);
}
