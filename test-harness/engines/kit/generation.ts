import { countPromptTokens, TokenSource } from './vocabulary.ts';
import type { SimToken } from './vocabulary.ts';

/** What decides a generation, in whatever protocol it was asked for. */
export interface GenerationRequest {
  readonly prompt: string;
  /** Infinity is "until the end"; 0 yields one token, as it does in llama-server. */
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  /** The text of the stop string is sent as well. */
  readonly keepsStop?: boolean;
}

export interface GenerationEnd {
  readonly stopType: 'eos' | 'limit' | 'word';
  readonly stoppingWord: string;
  readonly truncated: boolean;
}

/** What a request will yield: how many tokens, of which text, ending how. */
export interface Generation extends GenerationEnd {
  readonly promptTokens: number;
  readonly count: number;
  /** The next token; its text is cut where the text ends for a stop string. */
  next(): SimToken;
}

/**
 * @param ctx context of the slot, tokens
 * @param natural tokens after which the model ends by itself
 */
export function planGeneration(
  request: GenerationRequest,
  ctx: number,
  natural: number,
): Generation {
  const promptTokens = countPromptTokens(request.prompt);
  const asked = Math.max(request.maxTokens, 1);
  const room = ctx - promptTokens;
  const count = Math.min(natural, asked, room);
  const source = new TokenSource(request.prompt, request.seed);
  const stop = findStop(request, count);
  if (stop !== undefined) {
    const length = stop.textLength + (request.keepsStop === true ? stop.stoppingWord.length : 0);
    return { ...stop, promptTokens, next: cutAt(source, length) };
  }
  return {
    promptTokens,
    count,
    stopType: natural < asked && natural < room ? 'eos' : 'limit',
    stoppingWord: '',
    truncated: room < asked && room <= natural,
    next: () => source.next(),
  };
}

interface StopFound extends GenerationEnd {
  readonly count: number;
  /** Characters before the stop string. */
  readonly textLength: number;
}

function findStop(request: GenerationRequest, count: number): StopFound | undefined {
  if (request.stop.length === 0) return undefined;
  const source = new TokenSource(request.prompt, request.seed);
  let text = '';
  for (let i = 1; i <= count; i++) {
    text += source.next().text;
    for (const word of request.stop) {
      const at = text.indexOf(word);
      if (word === '' || at < 0) continue;
      return {
        count: i,
        textLength: at,
        stopType: 'word',
        stoppingWord: word,
        truncated: false,
      };
    }
  }
  return undefined;
}

function cutAt(source: TokenSource, textLength: number): () => SimToken {
  let left = textLength;
  return () => {
    const token = source.next();
    const text = token.text.slice(0, left);
    left -= text.length;
    return { id: token.id, text, json: JSON.stringify(text).slice(1, -1) };
  };
}
