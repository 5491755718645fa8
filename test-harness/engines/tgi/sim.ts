import { EngineSim } from '../kit/engine-sim.ts';
import type { SimCall } from '../kit/engine-sim.ts';
import type { Generation } from '../kit/generation.ts';
import { sendJson, sendText } from '../kit/http-answers.ts';
import type { JsonBody, SimHttpError } from '../kit/http-answers.ts';
import { DEFAULT_SIM_OPTIONS } from '../kit/sim-options.ts';
import type { SimOptions } from '../kit/sim-options.ts';
import type { Framing } from '../kit/token-stream.ts';
import { chatFraming } from './chat-stream.ts';
import {
  infoAnswer,
  metricsAnswer,
  modelsAnswer,
  SIM_FINGERPRINT,
  SIM_MODEL,
  tokensAnswer,
} from './control-answers.ts';
import { generateFraming } from './generate-stream.ts';
import {
  parseBody,
  parseChat,
  parseGenerate,
  parseInputs,
  renderMessages,
  tooLongInput,
} from './parse-request.ts';
import type { TgiRequest } from './parse-request.ts';
import { InferError, refusal, StreamRefusal } from './refusals.ts';

export interface TgiOptions extends SimOptions {
  /** `--max-stop-sequences` */
  readonly stopSequences: number;
  /** KV budget in tokens, as `/metrics` tells it; undefined where a build does not. */
  readonly batchMaxTotalTokens: number | undefined;
}

/** `--max-concurrent-requests` by default; TGI has no queue without a bound. */
const MAX_CONCURRENT_REQUESTS = 128;

/** A running simulator; see README.md for what it reproduces. */
export class TgiSim extends EngineSim<TgiOptions> {
  /** The router listens only when the model is loaded. */
  protected override loading(): undefined {
    return undefined;
  }

  protected override refusal(status: number, type?: string, message?: string): SimHttpError {
    return refusal(status, type ?? 'incomplete_generation', message ?? 'Incomplete generation');
  }

  protected override tooLong(promptTokens: number): SimHttpError {
    return tooLongInput(promptTokens, this.options.ctx);
  }

  protected override overloaded(): SimHttpError {
    return new InferError('Model is overloaded');
  }

  protected override route(call: SimCall): void {
    const { route, text, res } = call;
    switch (route) {
      case 'GET /':
      case 'GET /health':
      case 'GET /ping':
        res.end();
        return;
      case 'GET /info':
        return sendJson(res, infoAnswer(this.options));
      case 'GET /v1/models':
        return sendJson(res, modelsAnswer());
      case 'GET /metrics':
        return sendText(res, metricsAnswer(this.options, this.slots, this.stats));
      case 'POST /tokenize':
        return sendJson(res, tokensAnswer(parseInputs(parseBody(text))));
      case 'POST /chat_tokenize': {
        const rendered = renderMessages(parseBody(text));
        return sendJson(res, {
          tokenize_response: tokensAnswer(rendered),
          templated_text: rendered,
        });
      }
      case 'POST /generate_stream':
        return this.#generate(call, parseBody(text));
      case 'POST /v1/chat/completions':
        return this.#chat(call, parseBody(text));
      default:
        throw refusal(404, '', '');
    }
  }

  #generate(call: SimCall, body: JsonBody): void {
    inStream(
      (error) => error.nativeEvent(),
      () => this.#stream(call, body, parseGenerate(body, this.options), generateFraming),
    );
  }

  #chat(call: SimCall, body: JsonBody): void {
    // Messages that cannot be rendered are refused before there is a stream.
    renderMessages(body);
    inStream(
      (error) => error.chatEvents(),
      () =>
        this.#stream(call, body, parseChat(body, this.options), (request, generation) =>
          chatFraming(request, generation, SIM_MODEL, SIM_FINGERPRINT),
        ),
    );
  }

  #stream(
    call: SimCall,
    body: JsonBody,
    request: TgiRequest,
    framing: (request: TgiRequest, generation: Generation) => Framing,
  ): void {
    this.complete(call, body, {
      request,
      answersAtOnce: true,
      begin: (generation) => framing(request, generation),
    });
  }
}

/** Lets what the router refuses be told in the stream, under status 200. */
function inStream(toEvents: (error: InferError) => string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw error instanceof InferError ? new StreamRefusal(toEvents(error)) : error;
  }
}

/** Starts a simulated `text-generation-launcher`. */
export async function startTgiSim(options: Partial<TgiOptions> = {}): Promise<TgiSim> {
  const { slots, ctx, queue } = { ...DEFAULT_SIM_OPTIONS, ...options };
  const sim = new TgiSim({
    ...DEFAULT_SIM_OPTIONS,
    stopSequences: 4,
    batchMaxTotalTokens: slots * ctx,
    ...options,
    queue: Math.min(queue, Math.max(0, MAX_CONCURRENT_REQUESTS - slots)),
  });
  await sim.listen();
  return sim;
}
