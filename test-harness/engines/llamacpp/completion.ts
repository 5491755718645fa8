import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { CompletionRequest, Generation } from './generation.ts';
import type { SimFault, SimOptions } from './options.ts';
import type { SimSlot } from './slots.ts';
import { commonPrefix } from './slots.ts';
import { probabilitiesOf } from './vocabulary.ts';

export interface CompletionHooks {
  readonly onTokens: (count: number) => void;
  readonly onBlocked: (change: 1 | -1) => void;
  /** The completion is over, whatever way; called once. */
  readonly onOver: (finished: boolean) => void;
  readonly onExit: (code: number) => void;
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

/** One generation in one slot, from the moment the slot took it. */
export class Completion {
  readonly #res: ServerResponse;
  readonly #request: CompletionRequest;
  readonly #generation: Generation;
  readonly #slot: SimSlot;
  readonly #options: SimOptions;
  readonly #fault: SimFault | undefined;
  readonly #hooks: CompletionHooks;
  readonly #startedMs = performance.now();
  readonly #cached: number;
  readonly #partialTail: string;
  /** Tokens after which the fault strikes; Infinity when there is none. */
  readonly #faultAfter: number;
  #sent = 0;
  #content = '';
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  /** The reader has not taken what was written. */
  #blocked = false;

  constructor(
    res: ServerResponse,
    request: CompletionRequest,
    generation: Generation,
    slot: SimSlot,
    options: SimOptions,
    fault: SimFault | undefined,
    hooks: CompletionHooks,
  ) {
    this.#res = res;
    this.#request = request;
    this.#generation = generation;
    this.#slot = slot;
    this.#options = options;
    this.#fault = fault;
    this.#hooks = hooks;
    // The last prompt token is always decoded again: its logits are needed.
    this.#cached = request.cachePrompt
      ? Math.min(commonPrefix(slot.heldText, request.prompt), generation.promptTokens - 1)
      : 0;
    this.#partialTail = `,"tokens_evaluated":${generation.promptTokens}}\n\n`;
    this.#faultAfter =
      fault !== undefined && 'after_tokens' in fault ? fault.after_tokens : Infinity;
    slot.heldText = request.prompt;
    slot.heldTokens = generation.promptTokens;
    slot.decoded = 0;
    slot.remaining = generation.count;
  }

  start(): void {
    this.#res.once('close', () => this.#finish(false));
    if (!this.#request.stream) {
      this.#timer = setTimeout(
        () => this.#answerWhole(),
        this.#options.tokenDelayMs * this.#generation.count,
      );
      return;
    }
    this.#res.writeHead(200, STREAM_HEADERS);
    this.#res.flushHeaders();
    if (this.#fault?.kind === 'slow-first') {
      this.#res.write(':\n\n');
      this.#timer = setTimeout(this.#pump, this.#fault.ms);
    } else {
      this.#next();
    }
  }

  /** Stops generating without an answer, as the engine does on a signal. */
  abandon(): void {
    this.#finish(false);
  }

  #next(): void {
    const delayMs = this.#options.tokenDelayMs;
    if (delayMs > 0) this.#timer = setTimeout(this.#pump, delayMs);
    else setImmediate(this.#pump);
  }

  readonly #pump = (): void => {
    if (this.#over) return;
    const { tokenDelayMs, tokensPerWrite } = this.#options;
    const batch = tokenDelayMs > 0 ? 1 : tokensPerWrite;
    const until = Math.min(this.#sent + batch, this.#generation.count, this.#faultAfter);
    const before = this.#sent;
    let events = '';
    while (this.#sent < until) events += this.#nextEvent();
    const slot = this.#slot;
    slot.decoded = this.#sent;
    slot.remaining = this.#generation.count - this.#sent;
    slot.heldTokens = this.#generation.promptTokens + this.#sent;
    this.#hooks.onTokens(this.#sent - before);

    if (this.#sent === this.#faultAfter) {
      this.#strike(events);
    } else if (this.#sent === this.#generation.count) {
      this.#write(`${events}data: ${this.#finalObject('')}\n\n`);
      this.#res.end();
      this.#finish(true);
    } else if (this.#write(events)) {
      this.#next();
    } else {
      this.#setBlocked(true);
      this.#res.once('drain', () => {
        this.#setBlocked(false);
        this.#next();
      });
    }
  };

  #nextEvent(): string {
    const token = this.#generation.next();
    this.#sent += 1;
    this.#content += token.text;
    const { commentEvery } = this.#options;
    const comment = commentEvery > 0 && this.#sent % commentEvery === 0 ? ':\n\n' : '';
    if (token.text === '') return comment;
    const { nProbs } = this.#request;
    const probabilities =
      nProbs > 0
        ? `,"completion_probabilities":[${JSON.stringify(probabilitiesOf(token, nProbs))}]`
        : '';
    return `${comment}data: {"index":0,"content":"${token.json}","tokens":[${token.id}],"stop":false,"id_slot":-1,"tokens_predicted":${this.#sent}${probabilities}${this.#partialTail}`;
  }

  #write(text: string): boolean {
    const { splitBytes } = this.#options;
    if (splitBytes === 0) return this.#res.write(text);
    const bytes = Buffer.from(text);
    let ok = true;
    for (let start = 0; start < bytes.length; start += splitBytes) {
      ok = this.#res.write(bytes.subarray(start, start + splitBytes));
    }
    return ok;
  }

  #setBlocked(blocked: boolean): void {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.#hooks.onBlocked(blocked ? 1 : -1);
  }

  #strike(events: string): void {
    const fault = this.#fault;
    switch (fault?.kind) {
      case 'stall':
        this.#res.write(events);
        return;
      case 'eof':
        this.#res.end(events);
        return;
      case 'garbage':
        this.#res.end(`${events}data: {"index":0,"content":"\n\n`);
        return;
      case 'error-in-stream':
        this.#res.end(
          `${events}data: {"error":{"code":500,"message":"decode failed","type":"server_error"}}\n\n`,
        );
        return;
      case 'cut':
        this.#res.write(`${events}data: {"index":0,"cont`, () => this.#res.destroy());
        return;
      case 'exit':
        this.#res.write(events, () => this.#hooks.onExit(fault.code ?? 1));
        return;
      default:
        throw new Error(`a fault without a token count: ${fault?.kind}`);
    }
  }

  #answerWhole(): void {
    while (this.#sent < this.#generation.count) this.#nextEvent();
    this.#hooks.onTokens(this.#sent);
    this.#res.setHeader('content-type', 'application/json; charset=utf-8');
    this.#res.end(this.#finalObject(this.#content));
    this.#finish(true);
  }

  #finalObject(content: string): string {
    const { promptTokens, stopType, stoppingWord, truncated } = this.#generation;
    const predictedMs = performance.now() - this.#startedMs;
    return JSON.stringify({
      index: 0,
      content,
      tokens: [],
      id_slot: this.#slot.id,
      stop: true,
      model: 'sim',
      tokens_predicted: this.#sent,
      tokens_evaluated: promptTokens,
      generation_settings: { seed: this.#request.seed, n_predict: this.#request.nPredict },
      prompt: this.#request.prompt,
      has_new_line: this.#content.includes('\n'),
      truncated,
      stop_type: stopType,
      stopping_word: stoppingWord,
      tokens_cached: promptTokens + this.#sent - 1,
      timings: {
        cache_n: this.#cached,
        prompt_n: promptTokens - this.#cached,
        prompt_ms: 0,
        predicted_n: this.#sent,
        predicted_ms: predictedMs,
        predicted_per_second: (this.#sent / Math.max(predictedMs, 0.001)) * 1000,
      },
    });
  }

  #finish(finished: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#setBlocked(false);
    this.#slot.heldText = this.#request.prompt + this.#content;
    this.#hooks.onOver(finished);
  }
}
