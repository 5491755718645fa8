import type { ChatMessage, EngineRequest } from './types.ts';

export interface OpenAiBodyOptions {
  /** The model's name on the server; undefined leaves it to a server of one model. */
  readonly model: string | undefined;
  /** How the route for messages calls the bound on tokens: OpenAI renamed it, others did not. */
  readonly chatMaxTokens: 'max_tokens' | 'max_completion_tokens';
}

/** The route of a server with OpenAI's API that runs this request. */
export function openAiRoute({ prompt }: EngineRequest): string {
  return typeof prompt === 'string' ? '/v1/completions' : '/v1/chat/completions';
}

/**
 * The fields of `/v1/completions` and `/v1/chat/completions` that every server knows (OpenAI API
 * reference), each with a value, so that none is left to the server (OC-ADAPT-5010). What only one
 * kind of server knows its adapter adds.
 */
export function toOpenAiBody(request: EngineRequest, options: OpenAiBodyOptions) {
  const { prompt, maxTokens, seed, sampling } = request;
  const { temperature, topP, stop, logprobs } = sampling;
  const common = {
    model: options.model,
    n: 1,
    stream: true,
    stream_options: { include_usage: true },
    seed,
    temperature,
    top_p: topP,
    presence_penalty: 0,
    frequency_penalty: 0,
    stop: stop.map((text) => text.toWellFormed()),
  };
  if (typeof prompt === 'string') {
    return {
      ...common,
      prompt: prompt.toWellFormed(),
      max_tokens: maxTokens,
      echo: false,
      ...(logprobs > 0 ? { logprobs } : {}),
    };
  }
  return {
    ...common,
    messages: toWellFormedMessages(prompt),
    [options.chatMaxTokens]: maxTokens,
    ...(logprobs > 0 ? { logprobs: true, top_logprobs: logprobs } : {}),
  };
}

/** A lone surrogate would be refused as malformed JSON, and look like a fault of the engine. */
export function toWellFormedMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map(({ role, content }) => ({ role, content: content.toWellFormed() }));
}

/** The JSON Schema of a request, as `response_format` takes it. */
export function toResponseFormat(schema: object): object {
  return { type: 'json_schema', json_schema: { name: 'output', schema, strict: true } };
}
