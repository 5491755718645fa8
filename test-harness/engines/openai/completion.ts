import type { Generation } from '../kit/generation.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';
import type { Framing } from '../kit/token-stream.ts';
import { probabilitiesOf } from '../kit/vocabulary.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import { FLAVOR_RULES } from './flavors.ts';
import type { SimFlavor } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import type { CompletionRequest } from './parse-request.ts';

const DONE = 'data: [DONE]\n\n';

/** One generation as chunks of `/completions` or `/chat/completions`. */
export class Completion {
  readonly #flavor: SimFlavor;
  readonly #request: CompletionRequest;
  readonly #generation: Generation;
  readonly #reasoning: number;
  /** What every chunk begins with. */
  readonly #head: object;
  #isFirst = true;

  /** @param reasoning chunks of reasoning before the text of an answer to messages */
  constructor(
    flavor: SimFlavor,
    id: number,
    request: CompletionRequest,
    generation: Generation,
    reasoning: number,
  ) {
    this.#flavor = flavor;
    this.#request = request;
    this.#generation = generation;
    this.#reasoning = reasoning;
    this.#head = {
      id: `${request.isChat ? 'chatcmpl' : 'cmpl'}-${id}`,
      object: request.isChat ? 'chat.completion.chunk' : 'text_completion',
      created: 1_760_000_000,
      model: SIM_MODEL,
      ...(flavor === 'ollama' ? { system_fingerprint: 'fp_ollama' } : {}),
    };
  }

  framing(): Framing {
    return {
      headers: SSE_HEADERS,
      keepAlive: ': keep-alive\n\n',
      begin: () => this.#begin(),
      tokens: (tokens, sent) => this.#tokens(tokens, sent),
      end: (sent) => this.#end(sent),
      error: (message, status) => this.#error(message, status),
      garbage: 'data: {"id":"cmpl-1","choices":[{"index":0,"text":\n\n',
      half: 'data: {"id":"cmpl-1","cho',
    };
  }

  /** The answer to a request that did not ask for a stream. */
  whole(text: string): object {
    const { isChat } = this.#request;
    const finish = { finish_reason: this.#finishReason, logprobs: null };
    return {
      ...this.#head,
      object: isChat ? 'chat.completion' : 'text_completion',
      choices: [
        isChat
          ? { index: 0, message: { role: 'assistant', content: text }, ...finish }
          : { index: 0, text, ...finish },
      ],
      usage: this.#usage(this.#generation.count),
    };
  }

  get #finishReason(): string {
    return this.#generation.stopType === 'limit' ? 'length' : 'stop';
  }

  #begin(): string {
    if (!this.#request.isChat) return '';
    const { reasoningField } = FLAVOR_RULES[this.#flavor];
    const role =
      this.#flavor === 'ollama' ? '' : this.#chunk({ delta: { role: 'assistant', content: '' } });
    const thought = this.#chunk({ delta: { content: '', [reasoningField]: ' hm' } });
    return role + thought.repeat(this.#reasoning);
  }

  /** No chunk is sent while there is no text. SGLang tells the end with the last text, others after it. */
  #tokens(tokens: readonly SimToken[], sent: number): string {
    const text = tokens.map((token) => token.text).join('');
    const isLast = this.#flavor === 'sglang' && sent === this.#generation.count;
    if (text === '' && !isLast) return '';
    const { isChat } = this.#request;
    const role = this.#isFirst && this.#flavor === 'ollama' ? { role: 'assistant' } : {};
    this.#isFirst = false;
    return this.#chunk(
      isChat ? { delta: { ...role, content: text } } : { text },
      isLast ? this.#finishReason : null,
      this.#logprobs(tokens),
    );
  }

  #end(sent: number): string {
    const { isChat, includeUsage } = this.#request;
    const last = isChat ? { delta: {} } : { text: '' };
    const finish = this.#flavor === 'sglang' ? '' : this.#chunk(last, this.#finishReason);
    const usage = { ...this.#head, choices: [], usage: this.#usage(sent) };
    return finish + (includeUsage ? `data: ${JSON.stringify(usage)}\n\n` : '') + DONE;
  }

  /** A runner of Ollama that fails leaves an empty chunk and an end without `[DONE]`. */
  #error(message: string, status: number): string {
    const error = { message, type: 'server_error', param: null, code: null };
    switch (this.#flavor) {
      case 'generic':
        return `data: ${JSON.stringify({ error })}\n\n`;
      case 'sglang': {
        const type = status === 503 ? 'SERVICE_UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
        const coded = { object: 'error', ...error, type, code: status };
        return `data: ${JSON.stringify({ error: coded })}\n\n${DONE}`;
      }
      case 'ollama':
        return this.#chunk(this.#request.isChat ? { delta: {} } : { text: '' });
      case 'lmstudio':
        return `event: error\ndata: ${JSON.stringify({ error: { message } })}\n\n`;
    }
  }

  #chunk(content: object, finish_reason: string | null = null, logprobs: object | null = null) {
    const { isChat, includeUsage } = this.#request;
    const choice = {
      index: 0,
      ...content,
      logprobs,
      finish_reason,
      ...(this.#flavor === 'sglang' ? { matched_stop: null } : {}),
    };
    // Ollama puts an empty usage on each chunk of text when one is asked for.
    const usage = this.#flavor === 'ollama' && !isChat && includeUsage ? EMPTY_USAGE : {};
    return `data: ${JSON.stringify({ ...this.#head, choices: [choice], ...usage })}\n\n`;
  }

  /** The chosen token stands among its alternatives, also where it is none of the likeliest. */
  #logprobs(tokens: readonly SimToken[]): object | null {
    const { logprobs: top, isChat } = this.#request;
    if (top === undefined) return null;
    const entries = tokens.map((token) => probabilitiesOf(token, top));
    if (isChat) {
      return {
        content: entries.map(({ token, bytes, logprob, top_logprobs }) => ({
          token,
          bytes,
          logprob,
          top_logprobs: top_logprobs.map((each) => ({
            token: each.token,
            bytes: each.bytes,
            logprob: each.logprob,
          })),
        })),
      };
    }
    return {
      text_offset: entries.map(() => 0),
      tokens: entries.map(({ token }) => token),
      token_logprobs: entries.map(({ logprob }) => logprob),
      top_logprobs: entries.map(({ token, logprob, top_logprobs }) =>
        Object.fromEntries([
          [token, logprob],
          ...top_logprobs.map((each) => [each.token, each.logprob] as const),
        ]),
      ),
    };
  }

  #usage(completion_tokens: number): object {
    const { promptTokens } = this.#generation;
    return {
      prompt_tokens: promptTokens,
      completion_tokens,
      total_tokens: promptTokens + completion_tokens,
    };
  }
}

const EMPTY_USAGE = { usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } };
