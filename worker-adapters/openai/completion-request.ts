import { toOpenAiBody, toResponseFormat } from '../api/openai-request.ts';
import { EngineError } from '../api/types.ts';
import type { EngineRequest, Sampling } from '../api/types.ts';
import type { Flavor } from './flavor.ts';

/** What is known of the server. */
export interface RequestShape {
  readonly flavor: Flavor;
  /** The model's name; undefined leaves the choice to the server. */
  readonly model: string | undefined;
}

/**
 * `/completions` of OpenAI and SGLang stops after 16 tokens unless told otherwise, and takes no value that
 * means "no bound".
 */
const DEFAULT_TEXT_TOKENS = 1024;
/** OpenAI's bound of `logprobs` on `/completions`. */
const MAX_TEXT_LOGPROBS = 5;

/**
 * The body of `POST /completions` or `POST /chat/completions`.
 *
 * OC-ADAPT-5010 as far as the API reaches: every sampling field that the server documents is sent. An
 * unknown server gets OpenAI's own fields only, because some refuse a body with any other.
 * @throws EngineError `permanent` for a constraint the server has no field for
 */
export function toCompletionBody(request: EngineRequest, { flavor, model }: RequestShape): string {
  const { sampling } = request;
  const asked = {
    ...request,
    maxTokens: request.maxTokens ?? defaultMaxTokens(request, flavor),
    sampling: { ...sampling, logprobs: logprobsOf(request, flavor) },
  };
  const body = toOpenAiBody(asked, { model, chatMaxTokens: 'max_tokens' });
  return JSON.stringify({
    ...body,
    // OpenAI's schema asks for one stop string at least.
    stop: body.stop.length > 0 ? body.stop : undefined,
    ...extraFields(flavor, sampling),
    ...constraintOf(request, flavor),
  });
}

/** Chat, and Ollama and LM Studio on either route, run to the end of the model when no bound is sent. */
function defaultMaxTokens({ prompt }: EngineRequest, flavor: Flavor): number | undefined {
  const stopsEarly = typeof prompt === 'string' && (flavor === 'generic' || flavor === 'sglang');
  return stopsEarly ? DEFAULT_TEXT_TOKENS : undefined;
}

/** LM Studio documents none. */
function logprobsOf({ prompt, sampling }: EngineRequest, flavor: Flavor): number {
  if (flavor === 'lmstudio') return 0;
  const isBounded = typeof prompt === 'string' && flavor !== 'sglang';
  return isBounded ? Math.min(sampling.logprobs, MAX_TEXT_LOGPROBS) : sampling.logprobs;
}

/**
 * Sampling fields beyond OpenAI's: SGLang's (srt/entrypoints/openai/protocol.py) and LM Studio's
 * (lmstudio.ai/docs/developer/openai-compat). Ollama documents none.
 */
function extraFields(flavor: Flavor, { topK, minP }: Sampling): object {
  switch (flavor) {
    case 'sglang':
      return {
        // 0 is refused; -1 considers all tokens.
        top_k: topK > 0 ? topK : -1,
        min_p: minP,
        repetition_penalty: 1,
        min_tokens: 0,
        ignore_eos: false,
        skip_special_tokens: true,
        no_stop_trim: false,
      };
    case 'lmstudio':
      return { top_k: topK, repeat_penalty: 1 };
    case 'ollama':
    case 'generic':
      return {};
  }
}

function constraintOf({ prompt, sampling }: EngineRequest, flavor: Flavor): object {
  const { grammar, jsonSchema } = sampling;
  if (grammar !== undefined) {
    if (flavor !== 'sglang') throw unsupported('a grammar');
    return { ebnf: grammar };
  }
  if (jsonSchema === undefined) return {};
  if (typeof prompt === 'string' && flavor !== 'sglang') {
    throw unsupported('a JSON Schema for text, only for messages');
  }
  return { response_format: toResponseFormat(jsonSchema) };
}

function unsupported(what: string): EngineError {
  return new EngineError('permanent', 'openai', `the server takes no field for ${what}`);
}
