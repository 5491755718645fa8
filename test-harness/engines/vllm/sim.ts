import { EngineSim } from '../kit/engine-sim.ts';
import type { SimCall } from '../kit/engine-sim.ts';
import { sendJson, sendText } from '../kit/http-answers.ts';
import type { JsonBody, SimHttpError } from '../kit/http-answers.ts';
import { countTokensOf, embeddingOf, rankingOf } from '../kit/pooling.ts';
import { DEFAULT_SIM_OPTIONS } from '../kit/sim-options.ts';
import type { SimOptions } from '../kit/sim-options.ts';
import { countPromptTokens, detokenize, tokenizeBytes } from '../kit/vocabulary.ts';
import { Completion } from './completion.ts';
import { metricsAnswer, modelsAnswer, SIM_VERSION } from './control-answers.ts';
import {
  checkModel,
  parseBody,
  parseMessages,
  parsePrompt,
  parseRequest,
  SIM_MODEL,
} from './parse-request.ts';
import type { Route } from './parse-request.ts';
import { PrefixCache } from './prefix-cache.ts';
import { refusal, tooLong, unknownRoute, wrongType } from './refusals.ts';

export interface VllmOptions extends SimOptions {
  /** Routes of an embedding model. */
  readonly embedding: boolean;
  /** Routes of a ranking model. */
  readonly rerank: boolean;
  /** `--enable-prompt-tokens-details` */
  readonly promptTokensDetails: boolean;
}

/** A running simulator; see README.md for what it reproduces. */
export class VllmSim extends EngineSim<VllmOptions> {
  readonly #cache = new PrefixCache();
  #requests = 0;

  /** Until it has loaded, vLLM does not listen. */
  protected override loading(): undefined {
    return undefined;
  }

  /** The type follows from the status; a 404 without a message is a route that is not there. */
  protected override refusal(status: number, _type?: string, message?: string): SimHttpError {
    if (status === 404 && message === undefined) return unknownRoute();
    return refusal(status, message ?? 'simulated');
  }

  protected override tooLong(promptTokens: number): SimHttpError {
    return tooLong(this.options.ctx, promptTokens, 1);
  }

  /** `--max-num-queued-reqs`; without it the queue has no bound. */
  protected override overloaded(): SimHttpError {
    return refusal(503, 'The server is at its bound of queued requests. Please retry later.');
  }

  protected override route(call: SimCall): void {
    const { route, text, res } = call;
    switch (route) {
      case 'GET /health':
        res.end();
        return;
      case 'GET /version':
        return sendJson(res, { version: SIM_VERSION });
      case 'GET /v1/models':
        return sendJson(res, modelsAnswer(this.options));
      case 'GET /metrics':
        return sendText(res, metricsAnswer(this.slots, this.options, this.tokensSent));
      case 'POST /tokenize':
        return sendJson(res, this.#tokenize(parseBody(text)));
      case 'POST /detokenize': {
        const { tokens } = parseBody(text);
        if (!Array.isArray(tokens)) throw wrongType('tokens', tokens, 'list');
        return sendJson(res, { prompt: detokenize(tokens.map(Number)) });
      }
      case 'POST /v1/completions':
        return this.#complete(call, 'completion', parseBody(text));
      case 'POST /v1/chat/completions':
        return this.#complete(call, 'chat', parseBody(text));
      case 'POST /v1/embeddings':
        if (!this.options.embedding) throw unknownRoute();
        return this.compute(call, embeddings(parseBody(text)));
      case 'POST /rerank':
      case 'POST /v1/rerank':
      case 'POST /v2/rerank':
        if (!this.options.rerank) throw unknownRoute();
        return this.compute(call, ranking(parseBody(text)));
      default:
        throw unknownRoute();
    }
  }

  #complete(call: SimCall, route: Route, body: JsonBody): void {
    const { ctx, promptTokensDetails: tellsCached } = this.options;
    const asked = parseRequest(route, body);
    const { prompt, cacheSalt, maxTokens } = asked;
    const promptTokens = countPromptTokens(prompt);
    // A prompt that leaves no room at all is refused after the faults, by the kit.
    if (maxTokens !== undefined && promptTokens < ctx && promptTokens + maxTokens > ctx) {
      throw tooLong(ctx, promptTokens, maxTokens);
    }
    this.#requests += 1;
    const id = `${route === 'chat' ? 'chatcmpl' : 'cmpl'}-${this.#requests.toString(16)}`;
    let completion: Completion | undefined;
    this.complete(call, body, {
      request: { ...asked, maxTokens: maxTokens ?? Infinity },
      answersAtOnce: asked.stream,
      begin: (generation) => {
        const cached = this.#cache.hits(cacheSalt, prompt, generation.promptTokens);
        this.#cache.add(cacheSalt, prompt);
        completion = new Completion(asked, generation, { id, cached, tellsCached });
        return completion.framing();
      },
      ...(asked.stream
        ? {}
        : {
            whole: (_generation, _slot, text) => {
              if (completion !== undefined) sendJson(call.res, completion.whole(text));
            },
          }),
    });
  }

  /** The template of chat writes the leading token itself. */
  #tokenize(body: JsonBody): object {
    checkModel(body);
    const tokens =
      body['messages'] === undefined
        ? tokenizeBytes(parsePrompt(body), body['add_special_tokens'] !== false)
        : tokenizeBytes(parseMessages(body), true);
    const max_model_len = this.options.ctx;
    return { count: tokens.length, max_model_len, tokens, token_strs: null };
  }
}

/** Starts a simulated `vllm serve`. */
export async function startVllmSim(options: Partial<VllmOptions> = {}): Promise<VllmSim> {
  const sim = new VllmSim({
    ...DEFAULT_SIM_OPTIONS,
    embedding: true,
    rerank: true,
    promptTokensDetails: true,
    ...options,
  });
  await sim.listen();
  return sim;
}

function embeddings(body: JsonBody): object {
  checkModel(body);
  const { input } = body;
  if (typeof input !== 'string' && !Array.isArray(input)) throw wrongType('input', input, 'list');
  const texts = (Array.isArray(input) ? (input as unknown[]) : [input]).map(String);
  const tokens = countTokensOf(texts);
  return {
    id: 'embd-1',
    object: 'list',
    created: 0,
    model: SIM_MODEL,
    data: texts.map((text, index) => ({
      index,
      object: 'embedding',
      embedding: embeddingOf(text),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 },
  };
}

function ranking(body: JsonBody): object {
  checkModel(body);
  const { query, documents, top_n } = body;
  if (typeof query !== 'string') throw wrongType('query', query, 'string');
  if (!Array.isArray(documents)) throw wrongType('documents', documents, 'list');
  const texts = documents.map(String);
  const top = typeof top_n === 'number' && top_n > 0 ? top_n : texts.length;
  const tokens = countTokensOf([query, ...texts]);
  return {
    id: 'rerank-1',
    model: SIM_MODEL,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    results: rankingOf(query, texts, top).map(({ index, score }) => ({
      index,
      document: { text: texts[index] },
      relevance_score: score,
    })),
  };
}
