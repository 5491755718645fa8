import { countPromptTokens, neighbourOf, TokenSource } from './vocabulary.ts';
import type { SimToken } from './vocabulary.ts';

/** One token of one seed's answers, from 0, that is another than it should be. */
export interface Drift {
  readonly seed: number;
  readonly token: number;
}

/** What decides a generation, in whatever protocol it was asked for. */
export interface GenerationRequest {
  readonly prompt: string;
  /** Infinity is "until the end"; 0 yields one token, as it does in llama-server. */
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  /** The text of the stop string is sent as well. */
  readonly keepsStop?: boolean;
  /** A stop string ends the generation only where a token ends with it. */
  readonly stopsAfterToken?: boolean;
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
 * @param drift of an engine whose bytes are not those of its set
 */
export function planGeneration(
  request: GenerationRequest,
  ctx: number,
  natural: number,
  drift?: Drift,
): Generation {
  const generation = planSound(request, ctx, natural);
  if (drift?.seed !== request.seed) return generation;
  let index = -1;
  const next = (): SimToken => {
    index += 1;
    const token = generation.next();
    return index === drift.token ? neighbourOf(token) : token;
  };
  return { ...generation, next };
}

function planSound(request: GenerationRequest, ctx: number, natural: number): Generation {
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
  const stopsAfterToken = request.stopsAfterToken === true;
  const longest = Math.max(1, ...request.stop.map((word) => word.length));
  const source = new TokenSource(request.prompt, request.seed);
  /** As much of the text as a stop string may have begun in, and how much came before it. */
  let tail = '';
  let before = 0;
  for (let i = 1; i <= count; i++) {
    tail += source.next().text;
    for (const word of request.stop) {
      const at = stopsAfterToken ? tail.length - word.length : tail.indexOf(word);
      if (word === '' || at < 0 || !tail.startsWith(word, at)) continue;
      return {
        count: i,
        textLength: before + at,
        stopType: 'word',
        stoppingWord: word,
        truncated: false,
      };
    }
    const kept = Math.min(tail.length, longest - 1);
    before += tail.length - kept;
    tail = tail.slice(tail.length - kept);
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
