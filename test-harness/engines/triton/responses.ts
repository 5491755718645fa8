import type { Generation } from '../kit/generation.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';
import type { Framing } from '../kit/token-stream.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import { MODEL } from './models.ts';
import type { Backend } from './models.ts';
import type { GenerateRequest } from './parse-request.ts';

const HEADERS = { ...SSE_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' };

/** One request's responses: a JSON object each, and nothing that says which is the last. */
export class Responses {
  readonly #request: GenerateRequest;
  readonly #generation: Generation;
  readonly #isCumulative: boolean;
  readonly #tail: string;
  /** All text so far, as the inside of a JSON string. */
  #json = '';

  constructor(backend: Backend, request: GenerateRequest, generation: Generation) {
    this.#request = request;
    this.#generation = generation;
    this.#isCumulative = backend === 'llmapi';
    const tokens = request.returnInputTokens
      ? `,"num_input_tokens":${generation.promptTokens}`
      : '';
    const sequence =
      backend === 'trtllm' ? ',"sequence_end":false,"sequence_id":0,"sequence_start":false' : '';
    this.#tail = `,"model_name":"${MODEL}","model_version":"1"${tokens}${sequence}}`;
  }

  framing(): Framing {
    const event = (json: string) => `data: ${json}\n\n`;
    return {
      headers: HEADERS,
      // Triton sends none, a proxy in front of it may.
      keepAlive: ':\n\n',
      begin: () => '',
      tokens: (tokens, sent) => event(this.#next(tokens, sent)),
      end: () => '',
      error: (message) => event(JSON.stringify({ error: message })),
      garbage: event('{"text_output":"'),
      half: 'data: {"text_out',
    };
  }

  /** The only response to a request that asked for no stream. */
  whole(text: string): string {
    const all = JSON.stringify((this.#request.echo ? this.#request.prompt : '') + text);
    return this.#response(all.slice(1, -1), this.#generation.count, true);
  }

  #next(tokens: readonly SimToken[], sent: number): string {
    let json = '';
    for (const token of tokens) json += token.json;
    const isLast = sent === this.#generation.count;
    if (!this.#isCumulative) return this.#response(json, tokens.length, isLast);
    this.#json += json;
    return this.#response(isLast ? this.#withoutStop() : this.#json, tokens.length, isLast);
  }

  /** The LLM API takes a stop string back with the last response, and has sent its beginning before. */
  #withoutStop(): string {
    const stop = JSON.stringify(this.#generation.stoppingWord).slice(1, -1);
    return stop === '' ? this.#json : this.#json.slice(0, -stop.length);
  }

  #response(json: string, tokens: number, isLast: boolean): string {
    const { returnFinishReason, returnOutputTokens } = this.#request;
    const finish = returnFinishReason ? `,"finish_reason":"${this.#finish(isLast)}"` : '';
    const count = returnOutputTokens ? `,"num_output_tokens":${tokens}` : '';
    return `{"text_output":"${json}"${finish}${count}${this.#tail}`;
  }

  #finish(isLast: boolean): string {
    if (!isLast) return 'None';
    return this.#generation.stopType === 'limit' ? 'length' : 'stop';
  }
}
