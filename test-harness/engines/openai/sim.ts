import { EngineSim } from '../kit/engine-sim.ts';
import type { SimCall } from '../kit/engine-sim.ts';
import { sendJson, sendText } from '../kit/http-answers.ts';
import type { JsonBody, SimHttpError } from '../kit/http-answers.ts';
import { countTokensOf, embeddingOf, rankingOf } from '../kit/pooling.ts';
import { DEFAULT_SIM_OPTIONS } from '../kit/sim-options.ts';
import type { SimOptions } from '../kit/sim-options.ts';
import { countPromptTokens } from '../kit/vocabulary.ts';
import { Completion } from './completion.ts';
import {
  lmStudioModelsAnswer,
  metricsAnswer,
  modelsAnswer,
  ollamaRunningAnswer,
  ollamaTagsAnswer,
  serverInfoAnswer,
  SIM_VERSION,
} from './control-answers.ts';
import { FLAVOR_RULES } from './flavors.ts';
import type { SimFlavor } from './flavors.ts';
import { checkModel, parseBody, parseCompletion, SIM_MODEL } from './parse-request.ts';
import type { CompletionRequest } from './parse-request.ts';
import { noSuchRoute, overloaded, refusal, tooLong } from './refusals.ts';

export interface OpenAiSimOptions extends SimOptions {
  readonly flavor: SimFlavor;
  /** `--enable-metrics` of SGLang. */
  readonly metrics: boolean;
  /** The model is in memory, so that Ollama and LM Studio tell its context. */
  readonly loaded: boolean;
  /** It has `/completions`; many providers have only `/chat/completions`. */
  readonly textRoute: boolean;
  /** Chunks of reasoning before the text of an answer to messages. */
  readonly reasoning: number;
}

/** A running simulator; see README.md for what it reproduces. */
export class OpenAiSim extends EngineSim<OpenAiSimOptions> {
  #completions = 0;

  /** Where its API begins. */
  get apiUrl(): string {
    return `${this.url}/v1`;
  }

  /** None of them listens before it can answer. */
  protected override loading(): undefined {
    return undefined;
  }

  protected override refusal(status: number, type?: string, message = 'simulated'): SimHttpError {
    const { flavor } = this.options;
    if (status === 404) return noSuchRoute(flavor, 'POST /v1/completions');
    return refusal(flavor, status, message, type === undefined ? {} : { type });
  }

  protected override tooLong(promptTokens: number): SimHttpError {
    return tooLong(this.options.flavor, this.options.ctx, promptTokens);
  }

  protected override overloaded(): SimHttpError {
    return overloaded(this.options.flavor);
  }

  protected override route(call: SimCall): void {
    const { route, text, res } = call;
    const { flavor, textRoute } = this.options;
    switch (route) {
      case 'GET /v1/models':
        return sendJson(res, modelsAnswer(this.options));
      case 'POST /v1/chat/completions':
        return this.#complete(call, parseBody(flavor, text), true);
      case 'POST /v1/completions':
        if (!textRoute) throw noSuchRoute(flavor, route);
        return this.#complete(call, parseBody(flavor, text), false);
      case 'POST /v1/embeddings':
        return this.compute(call, embeddings(flavor, parseBody(flavor, text)));
      default:
        return this.#ownRoute(call);
    }
  }

  /** The routes that only one kind of server has. */
  #ownRoute(call: SimCall): void {
    const { route, text, res } = call;
    const { flavor, metrics } = this.options;
    switch (`${flavor} ${route}`) {
      case 'sglang GET /health':
        res.end();
        return;
      case 'sglang GET /get_server_info':
        return sendJson(res, serverInfoAnswer(this.options));
      case 'sglang GET /metrics':
        if (!metrics) throw noSuchRoute(flavor, route);
        return sendText(res, metricsAnswer(this.slots, this.options));
      case 'sglang POST /v1/rerank':
        return this.compute(call, ranking(parseBody(flavor, text)));
      case 'ollama GET /api/version':
        return sendJson(res, { version: SIM_VERSION });
      case 'ollama GET /api/tags':
        return sendJson(res, ollamaTagsAnswer());
      case 'ollama GET /api/ps':
        return sendJson(res, ollamaRunningAnswer(this.options));
      case 'lmstudio GET /api/v0/models':
        return sendJson(res, lmStudioModelsAnswer(this.options));
      default:
        throw noSuchRoute(flavor, route);
    }
  }

  #complete(call: SimCall, body: JsonBody, isChat: boolean): void {
    const { flavor, reasoning } = this.options;
    const asked = this.#fit(parseCompletion(flavor, body, isChat));
    let completion: Completion | undefined;
    this.complete(call, body, {
      request: asked,
      answersAtOnce: asked.stream && FLAVOR_RULES[flavor].answersAtOnce,
      begin: (generation) => {
        this.#completions += 1;
        completion = new Completion(flavor, this.#completions, asked, generation, reasoning);
        return completion.framing();
      },
      ...(asked.stream
        ? {}
        : {
            whole: (_generation, _slot, text) => sendJson(call.res, completion?.whole(text) ?? {}),
          }),
    });
  }

  /**
   * Ollama keeps the end of a prompt that is too long, and says nothing.
   * @throws SimHttpError where prompt and bound must fit the context together
   */
  #fit(asked: CompletionRequest): CompletionRequest {
    const { flavor, ctx } = this.options;
    const promptTokens = countPromptTokens(asked.prompt);
    if (flavor === 'ollama' && promptTokens >= ctx) {
      const kept = Buffer.from(asked.prompt).subarray(-Math.floor(ctx / 2));
      return { ...asked, prompt: kept.toString('latin1').replace(/[^ -~]/g, '?') };
    }
    const isBounded = FLAVOR_RULES[flavor].reservesContext && Number.isFinite(asked.maxTokens);
    const tokens = promptTokens + (isBounded ? asked.maxTokens : 0);
    if (isBounded && tokens > ctx) throw tooLong(flavor, ctx, tokens);
    return asked;
  }
}

/** Starts a simulated server with OpenAI's API. */
export async function startOpenAiSim(options: Partial<OpenAiSimOptions> = {}): Promise<OpenAiSim> {
  const sim = new OpenAiSim({
    ...DEFAULT_SIM_OPTIONS,
    flavor: 'generic',
    metrics: true,
    loaded: true,
    textRoute: true,
    reasoning: 0,
    ...options,
  });
  await sim.listen();
  return sim;
}

function embeddings(flavor: SimFlavor, { model, input }: JsonBody): object {
  checkModel(flavor, model);
  const texts = (Array.isArray(input) ? input : [input]).map(String);
  const tokens = countTokensOf(texts);
  return {
    object: 'list',
    model: SIM_MODEL,
    data: texts.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: embeddingOf(text),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** SGLang ranks all documents and answers a bare list, best first. */
function ranking({ query, documents }: JsonBody): object {
  if (typeof query !== 'string' || query.trim() === '') {
    throw refusal('sglang', 400, 'Query cannot be empty');
  }
  const texts = (Array.isArray(documents) ? documents : []).map(String);
  if (texts.length === 0) throw refusal('sglang', 400, 'Documents cannot be empty');
  return rankingOf(query, texts, texts.length).map(({ index, score }) => ({
    score,
    document: texts[index],
    index,
    meta_info: {},
  }));
}
