/**
 * What the simulator "says": a sequence of words drawn from (prompt, seed), so that a test can
 * compute the bytes it must receive without asking the simulator.
 */

/** Words, line ends, characters JSON escapes, and code points of two to four bytes. */
const WORDS = [
  ...[' old', ' pond', ' frog', ' leaps', ' in', ' water', "'s", ' sound', ' the', ' light'],
  ...[' of', ' a', ' candle', ' is', ' transferred', ' to', ' another', ' spring', ' twilight'],
  ...['\n', ',', '.', ' "', '\\', '\t', ' é', ' 古池', ' 蛙', ' 🐸', ' naïve', ' –', ' snow'],
];

/** Byte values come first in the token ids (see `tokenizeBytes`), then words. */
const FIRST_BYTE_ID = 3;
const FIRST_WORD_ID = FIRST_BYTE_ID + 256;

export interface SimToken {
  readonly id: number;
  readonly text: string;
  /** The text as the inside of a JSON string. */
  readonly json: string;
}

const TOKENS: readonly SimToken[] = WORDS.map((text, index) => ({
  id: FIRST_WORD_ID + index,
  text,
  json: JSON.stringify(text).slice(1, -1),
}));

/** Some other token. */
export function neighbourOf({ id }: Pick<SimToken, 'id'>): SimToken {
  return TOKENS[(id - FIRST_WORD_ID + 1) % TOKENS.length] as SimToken;
}

/** An endless, reproducible source of tokens: xorshift32 over FNV-1a of prompt and seed. */
export class TokenSource {
  #state: number;

  constructor(prompt: string, seed: number) {
    let hash = 0x811c9dc5;
    for (const part of [prompt, `#${seed}`]) {
      for (let i = 0; i < part.length; i++) {
        hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
      }
    }
    this.#state = hash === 0 ? 1 : hash;
  }

  next(): SimToken {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return TOKENS[(x >>> 0) % TOKENS.length] as SimToken;
  }
}

/** The texts of the first `count` tokens the simulator gives for this prompt and seed. */
export function expectedPieces(prompt: string, seed: number, count: number): string[] {
  const source = new TokenSource(prompt, seed);
  return Array.from({ length: count }, () => source.next().text);
}

export interface SimProbability {
  readonly id: number;
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

/**
 * A token's entry of `completion_probabilities`: it is the first, second or third likeliest, by its id,
 * and the likeliest has the logarithm -1, the next -2 and so on.
 */
export function probabilitiesOf({ id, text }: Pick<SimToken, 'id' | 'text'>, top: number) {
  const rank = id % 3;
  const likely = (at: number): SimProbability => {
    const index = (id - FIRST_WORD_ID - rank + at + TOKENS.length) % TOKENS.length;
    return probability(TOKENS[index] as SimToken, at);
  };
  return {
    ...probability({ id, text }, rank),
    top_logprobs: Array.from({ length: top }, (_, at) => likely(at)),
  };
}

function probability({ id, text }: Pick<SimToken, 'id' | 'text'>, rank: number): SimProbability {
  return { id, token: text, bytes: [...Buffer.from(text)], logprob: -1 - rank };
}

/** For each of the first `count` tokens, the probabilities an adapter must report with its text. */
export function expectedLogprobs(prompt: string, seed: number, count: number, top: number) {
  const source = new TokenSource(prompt, seed);
  return Array.from({ length: count }, () => {
    const { token, logprob, top_logprobs } = probabilitiesOf(source.next(), top);
    const alternatives = top_logprobs.map((each) => ({
      token: each.token,
      logprob: each.logprob,
    }));
    return [{ token, logprob, top: alternatives }];
  });
}

/** One token per byte: trivial to count, and exact to reverse. */
export function tokenizeBytes(text: string, addBos: boolean): number[] {
  const ids = Array.from(Buffer.from(text), (byte) => byte + FIRST_BYTE_ID);
  return addBos ? [1, ...ids] : ids;
}

/** The leading token and one per byte. */
export function countPromptTokens(text: string): number {
  return Buffer.byteLength(text) + 1;
}

/** The text of token ids, from `tokenizeBytes` and from streams alike. */
export function detokenize(ids: readonly number[]): string {
  const parts = ids.map((id) => {
    const word = TOKENS[id - FIRST_WORD_ID];
    if (word !== undefined) return Buffer.from(word.text);
    const isByte = id >= FIRST_BYTE_ID && id < FIRST_WORD_ID;
    return isByte ? Buffer.of(id - FIRST_BYTE_ID) : Buffer.alloc(0);
  });
  return Buffer.concat(parts).toString('utf8');
}
