import { performance } from 'node:perf_hooks';
import type { Generation } from '../kit/generation.ts';
import { commonPrefix } from '../kit/slots.ts';
import type { SimSlot } from '../kit/slots.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';
import type { Framing } from '../kit/token-stream.ts';
import { probabilitiesOf } from '../kit/vocabulary.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import type { CompletionRequest } from './parse-request.ts';

const HEADERS = { ...SSE_HEADERS, 'x-accel-buffering': 'no' };

/** One native completion in one slot, from the moment the slot takes it. */
export class Completion {
  readonly #request: CompletionRequest;
  readonly #generation: Generation;
  readonly #slotId: number;
  readonly #startedMs = performance.now();
  readonly #cached: number;
  #hasNewLine = false;

  constructor(request: CompletionRequest, generation: Generation, slot: SimSlot) {
    this.#request = request;
    this.#generation = generation;
    this.#slotId = slot.id;
    // The last prompt token is always decoded again: its logits are needed.
    this.#cached = request.cachePrompt
      ? Math.min(commonPrefix(slot.heldText, request.prompt), generation.promptTokens - 1)
      : 0;
  }

  framing(): Framing {
    const tail = `,"tokens_evaluated":${this.#generation.promptTokens}}\n\n`;
    return {
      headers: HEADERS,
      keepAlive: ':\n\n',
      begin: () => '',
      tokens: (tokens, sent) => this.#event(tokens, sent, tail),
      end: (sent) => `data: ${this.finalObject('', sent)}\n\n`,
      error: (message) =>
        `data: ${JSON.stringify({ error: { code: 500, message, type: 'server_error' } })}\n\n`,
      garbage: 'data: {"index":0,"content":"\n\n',
      half: 'data: {"index":0,"cont',
    };
  }

  /** The last object of a stream, and the only one of an answer that is none. */
  finalObject(content: string, sent: number): string {
    const { promptTokens, stopType, stoppingWord, truncated } = this.#generation;
    const predictedMs = performance.now() - this.#startedMs;
    return JSON.stringify({
      index: 0,
      content,
      tokens: [],
      id_slot: this.#slotId,
      stop: true,
      model: 'sim',
      tokens_predicted: sent,
      tokens_evaluated: promptTokens,
      generation_settings: { seed: this.#request.seed, n_predict: this.#request.nPredict },
      prompt: this.#request.prompt,
      has_new_line: this.#hasNewLine || content.includes('\n'),
      truncated,
      stop_type: stopType,
      stopping_word: stoppingWord,
      tokens_cached: promptTokens + sent - 1,
      timings: {
        cache_n: this.#cached,
        prompt_n: promptTokens - this.#cached,
        prompt_ms: 0,
        predicted_n: sent,
        predicted_ms: predictedMs,
        predicted_per_second: (sent / Math.max(predictedMs, 0.001)) * 1000,
      },
    });
  }

  /** No chunk is sent while there is no text; speculative decoding puts several tokens in one. */
  #event(tokens: readonly SimToken[], sent: number, tail: string): string {
    let json = '';
    for (const token of tokens) {
      json += token.json;
      this.#hasNewLine ||= token.text.includes('\n');
    }
    if (json === '') return '';
    const { nProbs } = this.#request;
    const probabilities =
      nProbs > 0
        ? `,"completion_probabilities":${JSON.stringify(tokens.map((token) => probabilitiesOf(token, nProbs)))}`
        : '';
    const ids = tokens.map(({ id }) => id).join();
    return `data: {"index":0,"content":"${json}","tokens":[${ids}],"stop":false,"id_slot":-1,"tokens_predicted":${sent}${probabilities}${tail}`;
  }
}
