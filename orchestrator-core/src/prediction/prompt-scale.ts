/**
 * Tokens of a prompt that was only measured in bytes, which are the upper bound used when the engine
 * was not asked. One ratio per pool, from the prompts that its engine has counted since.
 */
import { fieldsOf, isWithin } from './saved-values.ts';

const FIRST_TOKENS_PER_BYTE = 0.25;
/** How much the first guess weighs, and how much of the past is remembered, bytes. */
const FIRST_BYTES = 4_096;
const MEMORY_BYTES = 4_194_304;

export interface SavedScale {
  readonly tokens: number;
  readonly bytes: number;
}

export class PromptScale {
  #tokens = FIRST_TOKENS_PER_BYTE * FIRST_BYTES;
  #bytes = FIRST_BYTES;

  get tokensPerByte(): number {
    return this.#tokens / this.#bytes;
  }

  /** The expected length of a prompt, tokens: the count itself where it is exact. */
  promptTokens(count: number, exact: boolean): number {
    if (exact) return count;
    return Math.min(count, Math.max(1, Math.round((count * this.#tokens) / this.#bytes)));
  }

  /** The engine counted `tokens` in a prompt whose bound was `bytes`. */
  observe(bytes: number, tokens: number): void {
    if (!(bytes >= 1 && bytes < Infinity && tokens >= 0)) return;
    const keep = Math.max(0, 1 - bytes / MEMORY_BYTES);
    this.#tokens = keep * this.#tokens + Math.min(tokens, bytes);
    this.#bytes = keep * this.#bytes + bytes;
  }

  save(): SavedScale {
    return { tokens: this.#tokens, bytes: this.#bytes };
  }

  /** @returns false, keeping its state, when `saved` is nothing that one could have saved */
  load(saved: unknown): boolean {
    const { tokens, bytes } = fieldsOf(saved);
    if (!isWithin(bytes, 1, Number.MAX_SAFE_INTEGER)) return false;
    if (!isWithin(tokens, 0, bytes) || tokens / bytes === 0) return false;
    this.#tokens = tokens;
    this.#bytes = bytes;
    return true;
  }
}
