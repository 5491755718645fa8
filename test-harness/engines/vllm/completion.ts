import type { Generation } from '../kit/generation.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';
import type { Framing } from '../kit/token-stream.ts';
import { probabilitiesOf } from '../kit/vocabulary.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import { SIM_MODEL } from './parse-request.ts';
import type { VllmRequest } from './parse-request.ts';
import { errorBody } from './refusals.ts';

/** When every simulated answer was created, s since 1970. */
const CREATED = 1_767_225_600;

export interface CompletionOptions {
  /** Of this request alone. */
  readonly id: string;
  /** Prompt tokens found in the prefix cache. */
  readonly cached: number;
  /** `--enable-prompt-tokens-details` */
  readonly tellsCached: boolean;
}

/** One completion, of text or of messages, from the moment it runs. */
export class Completion {
  readonly #request: VllmRequest;
  readonly #generation: Generation;
  readonly #options: CompletionOptions;
  #characters = 0;

  constructor(request: VllmRequest, generation: Generation, options: CompletionOptions) {
    this.#request = request;
    this.#generation = generation;
    this.#options = options;
  }

  framing(): Framing {
    const isChat = this.#request.route === 'chat';
    const head = JSON.stringify(this.#head(isChat ? 'chat.completion.chunk' : 'text_completion'));
    const open = `data: ${head.slice(0, -1)},"choices":[{"index":0,`;
    const event = isChat ? this.#delta : this.#text;
    return {
      headers: SSE_HEADERS,
      keepAlive: ': keep-alive\n\n',
      begin: () =>
        isChat
          ? `${open}"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}\n\n`
          : '',
      tokens: (tokens, sent) => open + event(tokens, this.#finish(sent)),
      end: (sent) => `${this.#usageEvent(head, sent)}data: [DONE]\n\n`,
      error: (message, status) =>
        `data: ${JSON.stringify(errorBody(status, message))}\n\ndata: [DONE]\n\n`,
      garbage: `${open}"text":"\n\n`,
      half: `${open}"te`,
    };
  }

  /** The answer to a request that is not streamed. */
  whole(text: string): object {
    const { route } = this.#request;
    const isChat = route === 'chat';
    const [finish_reason, stop_reason] = this.#finish(this.#generation.count);
    const message = { role: 'assistant', content: text, reasoning: null, tool_calls: [] };
    return {
      ...this.#head(isChat ? 'chat.completion' : 'text_completion'),
      choices: [
        {
          index: 0,
          ...(isChat ? { message } : { text }),
          logprobs: null,
          finish_reason,
          stop_reason,
          token_ids: null,
        },
      ],
      service_tier: null,
      system_fingerprint: null,
      usage: this.#usage(this.#generation.count),
      kv_transfer_params: null,
    };
  }

  #head(object: string) {
    return { id: this.#options.id, object, created: CREATED, model: SIM_MODEL };
  }

  readonly #text = (tokens: readonly SimToken[], [finish, stop]: Finish): string =>
    `"text":"${jsonOf(tokens)}","logprobs":${this.#textLogprobs(tokens)},"finish_reason":${json(finish)},"stop_reason":${json(stop)},"prompt_token_ids":null,"token_ids":null}]}\n\n`;

  readonly #delta = (tokens: readonly SimToken[], [finish, stop]: Finish): string =>
    `"delta":{"content":"${jsonOf(tokens)}"},"logprobs":${this.#chatLogprobs(tokens)},"finish_reason":${json(finish)},${finish === null ? '' : `"stop_reason":${json(stop)},`}"token_ids":null}]}\n\n`;

  #textLogprobs(tokens: readonly SimToken[]): string {
    const { logprobs: top } = this.#request;
    if (top === undefined) return 'null';
    const all = tokens.map((token) => probabilitiesOf(token, top));
    const text_offset = tokens.map(({ text }) => {
      const offset = this.#characters;
      this.#characters += text.length;
      return offset;
    });
    return JSON.stringify({
      text_offset,
      token_logprobs: all.map(({ logprob }) => logprob),
      tokens: all.map(({ token }) => token),
      // The token chosen comes first, also when it is not among the likeliest.
      top_logprobs: all.map(({ token, logprob, top_logprobs }) =>
        Object.fromEntries(
          [{ token, logprob }, ...top_logprobs].map((each) => [each.token, each.logprob]),
        ),
      ),
    });
  }

  #chatLogprobs(tokens: readonly SimToken[]): string {
    const { logprobs: top } = this.#request;
    if (top === undefined) return 'null';
    const content = tokens.map((each) => {
      const { token, logprob, bytes, top_logprobs } = probabilitiesOf(each, top);
      return {
        token,
        logprob,
        bytes,
        top_logprobs: top_logprobs.map((other) => ({
          token: other.token,
          logprob: other.logprob,
          bytes: other.bytes,
        })),
      };
    });
    return JSON.stringify({ content });
  }

  #usageEvent(head: string, sent: number): string {
    if (!this.#request.includeUsage) return '';
    const usage = JSON.stringify(this.#usage(sent));
    return `data: ${head.slice(0, -1)},"choices":[],"usage":${usage}}\n\n`;
  }

  #usage(sent: number) {
    const { promptTokens } = this.#generation;
    const { cached, tellsCached } = this.#options;
    return {
      prompt_tokens: promptTokens,
      total_tokens: promptTokens + sent,
      completion_tokens: sent,
      ...(tellsCached ? { prompt_tokens_details: { cached_tokens: cached } } : {}),
    };
  }

  /** The last chunk with content says how the generation ended. */
  #finish(sent: number): Finish {
    const { count, stopType, stoppingWord } = this.#generation;
    if (sent < count) return [null, null];
    if (stopType === 'limit') return ['length', null];
    return ['stop', stopType === 'word' ? stoppingWord : null];
  }
}

type Finish = readonly [finishReason: 'stop' | 'length' | null, stopReason: string | null];

function jsonOf(tokens: readonly SimToken[]): string {
  let text = '';
  for (const token of tokens) text += token.json;
  return text;
}

function json(value: string | null): string {
  return JSON.stringify(value);
}
