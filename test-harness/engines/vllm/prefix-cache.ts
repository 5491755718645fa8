import { commonPrefix } from '../kit/slots.ts';

/** Tokens of one block of KV: prefixes are shared in whole blocks. */
export const BLOCK_TOKENS = 16;
/** Texts remembered; the oldest gives way. */
const MAX_TEXTS = 256;

interface CachedText {
  readonly salt: string;
  readonly text: string;
}

/** Which prefixes the engine has computed: one cache for all requests, parted by their salt. */
export class PrefixCache {
  #texts: CachedText[] = [];

  /**
   * Tokens of the prompt that need not be computed; the last one always is.
   * @param promptTokens the leading token and one for each byte
   */
  hits(salt: string, prompt: string, promptTokens: number): number {
    let shared = 0;
    for (const cached of this.#texts) {
      if (cached.salt !== salt) continue;
      const length = commonPrefix(cached.text, prompt);
      shared = Math.max(shared, Buffer.byteLength(prompt.slice(0, length)) + 1);
    }
    const whole = Math.floor(Math.min(shared, promptTokens - 1) / BLOCK_TOKENS);
    return whole * BLOCK_TOKENS;
  }

  add(salt: string, text: string): void {
    this.#texts.push({ salt, text });
    if (this.#texts.length > MAX_TEXTS) this.#texts.shift();
  }
}
