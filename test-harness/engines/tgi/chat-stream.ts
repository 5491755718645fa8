import type { Generation } from '../kit/generation.ts';
import type { Framing } from '../kit/token-stream.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import { finishReasonOf, TGI_HEADERS } from './generate-stream.ts';
import type { TgiRequest } from './parse-request.ts';
import { InferError } from './refusals.ts';

/**
 * `POST /v1/chat/completions` with `stream`: one chunk for each token, each with the role, the last with
 * the reason; then the usage if asked for, and the end mark.
 */
export function chatFraming(
  request: TgiRequest,
  generation: Generation,
  model: string,
  fingerprint: string,
): Framing {
  const finishReason = finishReasonOf(generation, request);
  const names = `"created":1,"model":${JSON.stringify(model)},"system_fingerprint":${JSON.stringify(fingerprint)}`;
  const head = `data: {"object":"chat.completion.chunk","id":"",${names},"choices":[`;
  const reason = finishReason === 'eos_token' ? 'stop' : finishReason;

  const chunk = (token: SimToken, index: number): string => {
    const isLast = index === generation.count;
    const content = isLast && finishReason === 'eos_token' ? '' : token.json;
    const delta = `"delta":{"role":"assistant","content":"${content}"}`;
    const finish = isLast ? `"${reason}"` : 'null';
    return `${head}{"index":0,${delta},"logprobs":null,"finish_reason":${finish}}],"usage":null}\n\n`;
  };

  return {
    headers: TGI_HEADERS,
    keepAlive: ':\n\n',
    begin: () => '',
    tokens: (tokens, sent) =>
      tokens.map((token, at) => chunk(token, sent - tokens.length + at + 1)).join(''),
    end: (sent) => {
      const usage = {
        prompt_tokens: generation.promptTokens,
        completion_tokens: sent,
        total_tokens: generation.promptTokens + sent,
      };
      const counted = request.includeUsage ? `${head}],"usage":${JSON.stringify(usage)}}\n\n` : '';
      return `${counted}data: [DONE]\n\n`;
    },
    error: (message) => new InferError(message).chatEvents(),
    garbage: `${head}{"index":0,"delta":{"role":"\n\n`,
    half: `${head}{"ind`,
  };
}
