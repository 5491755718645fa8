import type { ControlAnswer } from '../api/control-call.ts';
import { EngineConnection, malformed } from '../api/engine-connection.ts';
import type { EngineCall } from '../api/engine-connection.ts';
import { startAtFirstToken } from '../api/first-token-start.ts';
import { parseJson } from '../api/json-fields.ts';
import { embeddingBody, rankingBody, readEmbeddings } from '../api/pooling.ts';
import { EngineError, UNKNOWN_LOAD } from '../api/types.ts';
import type {
  AdapterCapabilities,
  AdapterOptions,
  EmbedRequest,
  EmbedResult,
  EngineHealth,
  EngineMetrics,
  EngineProps,
  EngineRequest,
  EngineResult,
  RerankRequest,
  RerankResult,
  TokenSink,
  WorkerAdapter,
} from '../api/types.ts';
import { toCompletionBody } from './completion-request.ts';
import { createStreamReader } from './completion-stream.ts';
import { asUnserved, refusal } from './errors.ts';
import { identifyServer } from './flavor.ts';
import type { Flavor, ServerIdentity } from './flavor.ts';
import { readMetrics } from './metrics.ts';
import { findModel, readProps } from './props.ts';
import { readSglangRanking } from './ranking.ts';

export const OPENAI_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion', 'embedding', 'rerank'],
  determinism: 'none',
  interruptibleDecode: true,
  features: ['json_schema', 'logprobs'],
};

/** A chunk is a few hundred bytes; probabilities and a usage report make it a few thousand. */
const MAX_EVENT_BYTES = 1024 * 1024;
/** The list of a provider's models, or embeddings of a few thousand texts. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024;

/**
 * Opens an adapter for one server of OpenAI's API, whichever it is.
 * @param options `url` ends where the API begins, as `base_url` of OpenAI's clients does: with `/v1` for
 * most servers, with another path for some providers
 */
export function openOpenAi(options: AdapterOptions): WorkerAdapter {
  return new OpenAiAdapter(options);
}

class OpenAiAdapter implements WorkerAdapter {
  readonly engine = 'openai';
  readonly url: string;
  readonly capabilities = OPENAI_CAPABILITIES;
  readonly #connection: EngineConnection;
  /** Path of the API below the root of the engine, where its own routes are. */
  readonly #mount: string;
  readonly #configuredModel: string | undefined;
  /** Told from the server, at `props` at the latest; until then it is an unknown one. */
  #flavor: Flavor | undefined;
  #model: string | undefined;

  constructor(options: AdapterOptions) {
    this.url = options.url;
    this.#mount = options.url.endsWith('/v1') ? '/v1' : '';
    this.#configuredModel = options.model;
    this.#model = options.model;
    const root = options.url.slice(0, options.url.length - this.#mount.length);
    this.#connection = new EngineConnection(
      { ...options, url: root },
      {
        engine: 'openai',
        maxEventBytes: MAX_EVENT_BYTES,
        maxControlBytes: MAX_CONTROL_BYTES,
        refusal,
        refusedWhileLoading: true,
      },
    );
  }

  /** SGLang says itself whether it is ready; any other server is when it lists the model. */
  health(signal?: AbortSignal): Promise<EngineHealth> {
    return this.#flavor === 'sglang'
      ? this.#connection.health('/health', signal, ({ status }) => healthOf('/health', status))
      : this.#connection.health(this.#path('/models'), signal, (answer) => this.#listing(answer));
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    const identity = await this.#identify(signal);
    const path = this.#path('/models');
    const models = await this.#connection.json({ method: 'GET', path, signal });
    const { id } = findModel(models, this.#configuredModel);
    this.#model = this.#configuredModel ?? id;
    const [tags, running] =
      identity.flavor === 'ollama'
        ? await Promise.all([this.#ask('/api/tags', signal), this.#ask('/api/ps', signal)])
        : [];
    return readProps({ identity, models, tags, running }, id);
  }

  /** No server counts without generating: those that tokenize do so without the chat template. */
  countTokens(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  applyTemplate(): Promise<string> {
    const message = 'only the server itself renders chat messages';
    return Promise.reject(new EngineError('permanent', 'openai', message));
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { logprobs } = request.sampling;
    const isText = typeof request.prompt === 'string';
    const shape = { flavor: this.#flavor ?? 'generic', model: this.#model };
    const body = toCompletionBody(request, shape);
    // Some servers send the status when a request arrives: only what was generated shows that it runs.
    const waiting = startAtFirstToken(sink);
    try {
      const result = await this.#connection.stream({
        path: this.#path(isText ? '/completions' : '/chat/completions'),
        body,
        correlationId: request.correlationId,
        sink: waiting.sink,
        signal,
        logprobs: logprobs > 0,
        read: createStreamReader(logprobs, waiting.settle),
      });
      waiting.settle();
      return result;
    } catch (error) {
      throw isText ? asUnserved(error, 'text, only for messages') : error;
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    const { inputs, correlationId } = request;
    const path = this.#path('/embeddings');
    const body = {
      model: this.#model,
      ...embeddingBody(inputs),
    };
    const call = { method: 'POST', path, body, signal, correlationId } as const;
    const answer = await this.#compute(call, 'embeddings');
    const result = readEmbeddings(answer, inputs.length);
    if (result === undefined) throw malformed('openai', path);
    return result;
  }

  /** OpenAI's API has no ranking; SGLang adds one, which in older versions knows no `top_n`. */
  async rerank(request: RerankRequest, signal: AbortSignal): Promise<RerankResult> {
    const { documents, topN = documents.length, correlationId } = request;
    if ((await this.#toldFlavor(signal)) !== 'sglang') {
      throw new EngineError('permanent', 'openai', 'the server ranks no documents');
    }
    const path = this.#path('/rerank');
    const body = rankingBody(request);
    const call = { method: 'POST', path, body, signal, correlationId } as const;
    const answer = await this.#compute(call, 'rankings');
    const result = readSglangRanking(answer, documents.length);
    if (result === undefined) throw malformed('openai', path);
    return { ...result, results: result.results.slice(0, topN) };
  }

  /** SGLang tells its load where it was started with `--enable-metrics`; no other server does. */
  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    if ((await this.#toldFlavor(signal)) !== 'sglang') return UNKNOWN_LOAD;
    const answer = await this.#connection.call({ method: 'GET', path: '/metrics', signal });
    return answer.status === 404 ? UNKNOWN_LOAD : readMetrics(this.#connection.textOf(answer));
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  #path(route: string): string {
    return this.#mount + route;
  }

  async #toldFlavor(signal: AbortSignal | undefined): Promise<Flavor> {
    return this.#flavor ?? (await this.#identify(signal)).flavor;
  }

  async #identify(signal: AbortSignal | undefined): Promise<ServerIdentity> {
    const identity = await identifyServer((path) => this.#ask(path, signal));
    this.#flavor = identity.flavor;
    return identity;
  }

  /**
   * What a route answers that the server may not have: its JSON, or undefined.
   * @throws EngineError when the server cannot say just then
   */
  async #ask(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    const answer = await this.#connection.call({ method: 'GET', path, signal });
    const cannotSay = answer.status === 429 || answer.status === 503;
    if (answer.status !== 200 && !cannotSay) return undefined;
    return parseJson(this.#connection.textOf(answer));
  }

  async #compute(call: EngineCall, work: string): Promise<unknown> {
    try {
      return await this.#connection.compute(call);
    } catch (error) {
      throw asUnserved(error, work);
    }
  }

  #listing({ status, text }: ControlAnswer): EngineHealth {
    const health = healthOf('/models', status);
    if (status !== 200) return health;
    try {
      findModel(parseJson(text), this.#configuredModel);
      return health;
    } catch (error) {
      return { state: 'down', reason: error instanceof Error ? error.message : 'unknown' };
    }
  }
}

/** A server that limits how often it is asked is alive. */
function healthOf(path: string, status: number): EngineHealth {
  if (status === 200 || status === 429) return { state: 'ready' };
  if (status === 503) return { state: 'loading' };
  return { state: 'down', reason: `${path} answered ${status}` };
}
