import { compileChatTemplate } from '../api/chat-template.ts';
import type { ChatRenderer } from '../api/chat-template.ts';
import { EngineConnection } from '../api/engine-connection.ts';
import type { EngineCall } from '../api/engine-connection.ts';
import { startAtFirstToken } from '../api/first-token-start.ts';
import { EngineError, UNKNOWN_LOAD } from '../api/types.ts';
import type {
  AdapterCapabilities,
  AdapterOptions,
  ChatMessage,
  EmbedResult,
  EngineHealth,
  EngineMetrics,
  EngineProps,
  EngineRequest,
  EngineResult,
  RerankResult,
  TokenSink,
  WorkerAdapter,
} from '../api/types.ts';
import { toGenerateRequest } from './completion-request.ts';
import { createGenerateReader } from './completion-stream.ts';
import { refusal } from './errors.ts';
import { readMetrics } from './metrics.ts';
import { metricsUrlOf } from './metrics-url.ts';
import { readModelConfig } from './model-config.ts';
import type { TritonModel } from './model-config.ts';
import { toProps } from './props.ts';

export const TRITON_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion'],
  determinism: 'none',
  interruptibleDecode: true,
  features: ['chat_template', 'grammar', 'json_schema', 'top_k'],
};

/** A model may send all text so far with each token: room for that of a long context. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** A model's configuration, or the metrics of a server with many models. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;

/**
 * Opens an adapter for one model of a Triton server, over its KServe v2 HTTP API and generate extension.
 * @throws EngineError `permanent` without `model`, or for a chat template that cannot be parsed
 */
export function openTriton(options: AdapterOptions): WorkerAdapter {
  if (options.model === undefined) {
    throw new EngineError('permanent', 'triton', 'a Triton server needs the name of the model');
  }
  return new TritonAdapter(options, options.model);
}

class TritonAdapter implements WorkerAdapter {
  readonly engine = 'triton';
  readonly url: string;
  readonly capabilities = TRITON_CAPABILITIES;
  readonly #options: AdapterOptions;
  readonly #modelName: string;
  readonly #modelPath: string;
  readonly #chat: ChatRenderer | undefined;
  readonly #connection: EngineConnection;
  readonly #metrics: EngineConnection | undefined;
  #model: TritonModel | undefined;
  /** The reading of the model's configuration that all who need it first wait for. */
  #reading: Promise<TritonModel> | undefined;

  constructor(options: AdapterOptions, modelName: string) {
    this.url = options.url;
    this.#options = options;
    this.#modelName = modelName;
    this.#modelPath = `/v2/models/${encodeURIComponent(modelName)}`;
    this.#chat = compile(options.chatTemplate);
    const settings = {
      engine: this.engine,
      maxEventBytes: MAX_EVENT_BYTES,
      maxControlBytes: MAX_CONTROL_BYTES,
      refusal,
    } as const;
    this.#connection = new EngineConnection(options, { ...settings, refusedWhileLoading: true });
    const metricsUrl = metricsUrlOf(options);
    if (metricsUrl !== undefined) {
      // What listens on a port that was only guessed is not told the key.
      const { apiKey: _key, headers: _headers, ...open } = options;
      const guarded = options.metricsUrl === undefined ? open : options;
      this.#metrics = new EngineConnection(
        { ...guarded, url: metricsUrl },
        { ...settings, refusedWhileLoading: false },
      );
    }
  }

  /**
   * Ready when the server and the model are. While models load that `--load-model` names the port is
   * closed; a model that is loaded later over the API is not ready until then.
   */
  async health(signal?: AbortSignal): Promise<EngineHealth> {
    const [server, model] = await Promise.all([
      this.#ready('/v2/health/ready', signal),
      this.#ready(`${this.#modelPath}/ready`, signal),
    ]);
    return server.state === 'ready' || model.state === 'down' ? model : server;
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    const server = await this.#connection.json({ method: 'GET', path: '/v2', signal });
    this.#model = await this.#readModel({ signal });
    return toProps(server, this.#model, this.#modelName, this.#options.chatTemplate);
  }

  /** Triton has no route that counts tokens. */
  countTokens(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  applyTemplate(messages: readonly ChatMessage[]): Promise<string> {
    return new Promise((resolve) => resolve(this.#render(messages)));
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const prompt =
      typeof request.prompt === 'string' ? request.prompt : this.#render(request.prompt);
    const model = this.#model ?? (await this.#awaitModel(signal));
    const { body, maxTokens } = toGenerateRequest(request, prompt, model);
    const { textOutput } = this.#options;
    const reader = createGenerateReader({
      model,
      textOutput,
      maxTokens,
      stop: request.sampling.stop,
    });
    // A refusal may come as the first event, under the status of a stream.
    const waiting = startAtFirstToken(sink);
    const result = await this.#connection.stream({
      path: `${this.#modelPath}/generate_stream`,
      body,
      correlationId: request.correlationId,
      sink: waiting.sink,
      signal,
      logprobs: false,
      read: (data, pieces) => reader.read(data, pieces),
      readEnd: (pieces) => reader.readEnd(pieces),
      stopsAtResult: true,
    });
    waiting.settle();
    return result;
  }

  embed(): Promise<EmbedResult> {
    return Promise.reject(permanent('Triton embeds no texts over its generate extension'));
  }

  rerank(): Promise<RerankResult> {
    return Promise.reject(permanent('Triton ranks no documents over its generate extension'));
  }

  /** Unknown where no metrics are to be found at the place they have by default. */
  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    if (this.#metrics === undefined) return UNKNOWN_LOAD;
    const model = this.#model ?? (await this.#awaitModel(signal));
    try {
      return readMetrics(
        await this.#metrics.text({ method: 'GET', path: '', signal }),
        model.parts,
      );
    } catch (error) {
      const isGuess = this.#options.metricsUrl === undefined;
      if (isGuess && error instanceof EngineError) return UNKNOWN_LOAD;
      throw error;
    }
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#connection[Symbol.asyncDispose](),
      this.#metrics?.[Symbol.asyncDispose](),
    ]);
  }

  /** The prompt is tokenized with the model's own leading token, so the template is given none. */
  #render(messages: readonly ChatMessage[]): string {
    if (this.#chat === undefined) {
      throw permanent('Triton has no chat templates, and none is configured');
    }
    try {
      return this.#chat.render(messages, { bosToken: '', eosToken: '' }, true);
    } catch {
      // What a template raises may quote the messages: it is no cause to hand on.
      throw permanent('the chat template does not accept these messages');
    }
  }

  #ready(path: string, signal: AbortSignal | undefined): Promise<EngineHealth> {
    return this.#connection.health(path, signal, ({ status }) => {
      if (status === 200) return { state: 'ready' };
      if (status === 400 || status === 503) return { state: 'loading' };
      return { state: 'down', reason: `${path} answered ${status}` };
    });
  }

  async #readModel(how: Pick<EngineCall, 'signal' | 'once'>): Promise<TritonModel> {
    const path = `${this.#modelPath}/config`;
    return readModelConfig(await this.#connection.json({ method: 'GET', path, ...how }));
  }

  /** One reading serves all who wait for it, in the order they came, and outlives those who give up. */
  async #awaitModel(signal: AbortSignal | undefined): Promise<TritonModel> {
    this.#reading ??= this.#readModel({ once: true })
      .then((model) => (this.#model = model))
      .finally(() => (this.#reading = undefined));
    return unlessAborted(this.#reading, signal);
  }
}

function compile(template: string | undefined): ChatRenderer | undefined {
  if (template === undefined) return undefined;
  try {
    return compileChatTemplate(template);
  } catch (cause) {
    const message = 'the chat template cannot be parsed';
    throw new EngineError('permanent', 'triton', message, { cause });
  }
}

function permanent(message: string): EngineError {
  return new EngineError('permanent', 'triton', message);
}

/** @throws the signal's reason when it aborts first; what the promise rejects with */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = () => signal.removeEventListener('abort', onAbort);
    void promise.then(resolve, reject).then(settle);
  });
}
