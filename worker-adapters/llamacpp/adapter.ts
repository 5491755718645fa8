import { Pool } from 'undici';
import { callEngine } from '../api/control-call.ts';
import type { ControlAnswer, ControlCall } from '../api/control-call.ts';
import { field, parseJson, stringField } from '../api/json-fields.ts';
import { callSse } from '../api/sse-call.ts';
import { EngineError } from '../api/types.ts';
import type {
  AdapterCapabilities,
  AdapterOptions,
  ChatMessage,
  EngineHealth,
  EngineMetrics,
  EngineProps,
  EngineRequest,
  EngineResult,
  TokenSink,
  WorkerAdapter,
} from '../api/types.ts';
import { toCompletionBody } from './completion-request.ts';
import { createLogprobReader, readCompletionEvent } from './completion-stream.ts';
import { refusal } from './errors.ts';
import { kvUsageOf, readMetrics } from './metrics.ts';
import { readProps } from './props.ts';

export const LLAMACPP_CAPABILITIES: AdapterCapabilities = {
  workloads: ['completion'],
  determinism: 'exact-single-slot',
  interruptibleDecode: true,
  features: [
    'tokenize',
    'chat_template',
    'kv_reuse',
    'kv_erase',
    'grammar',
    'json_schema',
    'logprobs',
  ],
};

/** The last event repeats the prompt and all settings: room for a 1M-token context. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** A tokenized prompt of the largest contexts, at up to eight characters per id. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;
/** Health must be answered while every stream is busy: control calls have their own connections. */
const CONTROL_CONNECTIONS = 4;

/** Opens an adapter for one `llama-server`, or for any process that speaks its native HTTP API. */
export function openLlamaCpp(options: AdapterOptions): WorkerAdapter {
  return new LlamaCppAdapter(options);
}

class LlamaCppAdapter implements WorkerAdapter {
  readonly engine = 'llamacpp';
  readonly url: string;
  readonly capabilities = LLAMACPP_CAPABILITIES;
  readonly #options: AdapterOptions;
  readonly #streams: Pool;
  readonly #control: Pool;
  #activeStreams = 0;
  /** Unknown until `props` was read; the safe assumption until then. */
  #exactPrefixReuse = false;

  constructor(options: AdapterOptions) {
    const { connectMs } = options.timeouts;
    this.url = options.url;
    this.#options = options;
    this.#streams = new Pool(options.url, {
      connections: options.maxStreams,
      pipelining: 1,
      connectTimeout: connectMs,
    });
    this.#control = new Pool(options.url, {
      connections: CONTROL_CONNECTIONS,
      pipelining: 1,
      connectTimeout: connectMs,
      maxResponseSize: MAX_CONTROL_BYTES,
    });
  }

  async health(signal?: AbortSignal): Promise<EngineHealth> {
    try {
      const { status } = await this.#call({ method: 'GET', path: '/health', signal });
      if (status === 200) return { state: 'ready' };
      if (status === 503) return { state: 'loading' };
      return { state: 'down', reason: `health answered ${status}` };
    } catch (error) {
      return { state: 'down', reason: error instanceof Error ? error.message : 'aborted' };
    }
  }

  async props(signal?: AbortSignal): Promise<EngineProps> {
    const props = readProps(await this.#json({ method: 'GET', path: '/props', signal }));
    this.#exactPrefixReuse = props.exactPrefixReuse;
    return props;
  }

  /** Counts as `/completion` will: with the model's own leading token and special tokens parsed. */
  async countTokens(text: string, signal?: AbortSignal): Promise<number> {
    const body = { content: text.toWellFormed(), add_special: true, parse_special: true };
    const answer = await this.#json({ method: 'POST', path: '/tokenize', body, signal });
    const tokens = field(answer, 'tokens');
    if (!Array.isArray(tokens)) throw malformed('/tokenize');
    return tokens.length;
  }

  async applyTemplate(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<string> {
    const body = {
      messages: messages.map(({ role, content }) => ({ role, content: content.toWellFormed() })),
    };
    const answer = await this.#json({ method: 'POST', path: '/apply-template', body, signal });
    const prompt = stringField(answer, 'prompt');
    if (prompt === undefined) throw malformed('/apply-template');
    return prompt;
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { timeouts, maxStreams } = this.#options;
    const { logprobs } = request.sampling;
    if (this.#activeStreams >= maxStreams) {
      throw new EngineError('busy', 'llamacpp', `all ${maxStreams} streams are in use`);
    }
    this.#activeStreams += 1;
    try {
      return await callSse(this.#streams, {
        engine: 'llamacpp',
        path: '/completion',
        body: toCompletionBody(request, { exactPrefixReuse: this.#exactPrefixReuse }),
        headers: {
          'content-type': 'application/json',
          'x-correlation-id': request.correlationId,
        },
        headersMs: timeouts.headersMs,
        bodyMs: timeouts.bodyMs,
        maxEventBytes: MAX_EVENT_BYTES,
        sink,
        signal,
        logprobs: logprobs > 0,
        read: logprobs > 0 ? createLogprobReader(logprobs) : readCompletionEvent,
        refusal,
      });
    } finally {
      this.#activeStreams -= 1;
    }
  }

  async eraseSlot(slotId: number, signal?: AbortSignal): Promise<boolean> {
    const { status, text } = await this.#call({
      method: 'POST',
      path: `/slots/${slotId}?action=erase`,
      body: {},
      signal,
    });
    if (status === 200) return true;
    if (status === 404 || status === 501) return false;
    throw refusal(status, text);
  }

  async metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    const [gauges, slots] = await Promise.all([
      this.#call({ method: 'GET', path: '/metrics', signal }),
      this.#call({ method: 'GET', path: '/slots', signal }),
    ]);
    if (gauges.status !== 200) throw refusal(gauges.status, gauges.text);
    const kvUsage = slots.status === 200 ? kvUsageOf(parseJson(slots.text)) : undefined;
    return { ...readMetrics(gauges.text), kvUsage };
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#streams.destroy(), this.#control.destroy()]);
  }

  #call(call: Omit<ControlCall, 'engine' | 'timeoutMs'>): Promise<ControlAnswer> {
    const timeoutMs = this.#options.timeouts.controlMs;
    return callEngine(this.#control, { ...call, engine: 'llamacpp', timeoutMs });
  }

  async #json(call: Omit<ControlCall, 'engine' | 'timeoutMs'>): Promise<unknown> {
    const { status, text } = await this.#call(call);
    if (status !== 200) throw refusal(status, text);
    const value = parseJson(text);
    if (value === undefined) throw malformed(call.path);
    return value;
  }
}

function malformed(path: string): EngineError {
  return new EngineError('garbage', 'llamacpp', `${path} answered what it must not`);
}
