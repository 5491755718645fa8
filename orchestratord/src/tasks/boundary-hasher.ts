/**
 * Hashes of the beginnings of a text at the places that the prefix index looks at, in one pass: the
 * XXH32 digest of all bytes so far (Yann Collet, "xxHash fast digest algorithm",
 * doc/xxhash_spec.md 0.1.1, XXH32). All places are multiples of its 16-byte stripes, so a digest in
 * between is only the final mixing of the running state, and no byte is read twice.
 */
import { blocksUpTo } from '@llama-orch/orchestrator-core';

/** Finer than what the engines cache by would gain nothing: 16 to 64 tokens are about this much. */
export const BLOCK_BYTES = 256;

const PRIME_1 = 0x9e37_79b1;
const PRIME_2 = 0x85eb_ca77;
const PRIME_3 = 0xc2b2_ae3d;
const STRIPE_BYTES = 16;

/** Ends each part: no byte of UTF-8 has this value, so no two lists of parts give the same bytes. */
const END_OF_PART = 0xff;

/** Text is encoded piece by piece, each at most three bytes a character. */
const PIECE_CHARS = 16_384;
const scratch = Buffer.alloc(STRIPE_BYTES + 3 * PIECE_CHARS + 1);
/** Little-endian hosts read the words the specification means; others get other, equally good hashes. */
const words = new Int32Array(scratch.buffer, scratch.byteOffset, scratch.length >> 2);

/**
 * @param parts in the order the engine will see them
 * @param seed 32 bits; texts under different seeds have no hashes in common
 * @returns signed 32-bit hashes, one for each place inside the text (`blocksUpTo`)
 */
export function hashBoundaries(parts: readonly string[], seed: number): number[] {
  const state = new RunningDigest(seed);
  let filled = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length;) {
      const to = endOfPiece(part, from);
      const piece = from === 0 && to === part.length ? part : part.slice(from, to);
      filled = state.take(filled + scratch.write(piece, filled));
      from = to;
    }
    scratch[filled] = END_OF_PART;
    filled = state.take(filled + 1);
  }
  return state.hashes;
}

/** A piece does not end between the halves of a surrogate pair, which are encoded as one. */
function endOfPiece(text: string, from: number): number {
  const to = from + PIECE_CHARS;
  if (to >= text.length) return text.length;
  return (text.charCodeAt(to - 1) & 0xfc00) === 0xd800 ? to - 1 : to;
}

class RunningDigest {
  readonly hashes: number[] = [];
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #length = 0;
  #nextPlace = BLOCK_BYTES;

  constructor(seed: number) {
    this.#a = (seed + PRIME_1 + PRIME_2) | 0;
    this.#b = (seed + PRIME_2) | 0;
    this.#c = seed | 0;
    this.#d = (seed - PRIME_1) | 0;
  }

  /**
   * Consumes the whole stripes at the start of the scratch buffer.
   * @returns how many bytes stay, moved to the start
   */
  take(filled: number): number {
    const end = filled - (filled % STRIPE_BYTES);
    for (let at = 0; at < end;) {
      const until = Math.min(end, at + this.#nextPlace - this.#length);
      this.#consume(at >> 2, until >> 2);
      this.#length += until - at;
      at = until;
      if (this.#length < this.#nextPlace) continue;
      this.hashes.push(this.#digest());
      this.#nextPlace = blocksUpTo(this.hashes.length + 1) * BLOCK_BYTES;
    }
    if (end > 0) scratch.copyWithin(0, end, filled);
    return filled - end;
  }

  #consume(from: number, to: number): void {
    let a = this.#a;
    let b = this.#b;
    let c = this.#c;
    let d = this.#d;
    for (let at = from; at < to; at += 4) {
      a = round(a, words[at] ?? 0);
      b = round(b, words[at + 1] ?? 0);
      c = round(c, words[at + 2] ?? 0);
      d = round(d, words[at + 3] ?? 0);
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  #digest(): number {
    let hash = rotate(this.#a, 1) + rotate(this.#b, 7) + rotate(this.#c, 12) + rotate(this.#d, 18);
    hash = (hash + this.#length) | 0;
    hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
    hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
    return hash ^ (hash >>> 16);
  }
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, PRIME_2)) | 0, 13), PRIME_1);
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
