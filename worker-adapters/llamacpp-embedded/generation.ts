import { createStopFilter } from '../api/stop-filter.ts';
import type { CompletionParams } from './completion-request.ts';
import { canonicalPositions, prefillChunks, reusablePositions } from './prefill.ts';
import type { Slot } from './slots.ts';
import { CONTEXT_TOKENS, createTokenText } from './text-pieces.ts';
import type { Constraint, TokenModel } from './token-model.ts';
import type { ProbReport } from './token-probs.ts';

/** One engine token, or the few that together complete a code point. */
export interface TokenEvent {
  /** May be '' while a possible stop string is held back, and for an end token. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** Tokens sampled so far, this event's included. */
  readonly predicted: number;
  /** One for each of `tokens` when they were asked for, else empty. */
  readonly probs: readonly ProbReport[];
}

export interface GenerationEnd {
  readonly stopType: 'none' | 'eos' | 'limit' | 'word';
  readonly stoppingWord: string;
  /** The context is full. */
  readonly truncated: boolean;
  readonly cachedTokens: number;
  readonly predicted: number;
  /** Tokens the slot holds now. */
  readonly heldTokens: number;
  readonly hasNewLine: boolean;
  /** Until the first token was sampled, ms. */
  readonly promptMs: number;
  /** From there to the end, ms. */
  readonly predictedMs: number;
}

export interface Generation {
  readonly model: TokenModel;
  readonly slot: Slot;
  readonly params: CompletionParams;
  readonly constraint: Constraint | undefined;
  readonly prefillChunk: number;
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  readonly elapsed: () => number;
  /** Called before every llama_decode. */
  readonly onDecode: () => void;
  /** A returned promise holds generation back until it resolves. */
  readonly onToken: (event: TokenEvent) => void | Promise<void>;
}

/**
 * Runs one generation to its end on a slot it has to itself. The slot's KV cache is left usable in
 * every case: a cancelled generation keeps the prefix it computed, a failed one drops all.
 * @throws the signal's reason once aborted; Error when llama.cpp fails.
 */
export async function generate(generation: Generation): Promise<GenerationEnd> {
  const { slot, signal } = generation;
  try {
    return await prefillAndDecode(generation);
  } catch (error) {
    if (!signal.aborted) {
      slot.canonical = [];
      await slot.sequence.truncate(0).catch(() => undefined);
    }
    throw error;
  }
}

async function prefillAndDecode(generation: Generation): Promise<GenerationEnd> {
  const { slot, params, signal, elapsed } = generation;
  const { prompt } = params;
  const started = elapsed();
  const cached = await keepPrefix(generation);
  const chunks = prefillChunks(prompt, cached, generation.prefillChunk);
  const last = chunks.pop() ?? [];
  for (const chunk of chunks) {
    signal.throwIfAborted();
    generation.onDecode();
    await slot.sequence.prefill(chunk);
    slot.canonical.push(...chunk);
    if (slot.task !== undefined) slot.task.processedTokens += chunk.length;
  }
  signal.throwIfAborted();
  return await decode(generation, last, cached, started);
}

/** Drops what this prompt cannot reuse; returns the positions kept. */
async function keepPrefix({ slot, params, prefillChunk }: Generation): Promise<number> {
  const reusable =
    params.cachePrompt && slot.sequence.keepsPrefix
      ? reusablePositions(slot.canonical, params.prompt, prefillChunk)
      : 0;
  // Forgotten first: if truncation fails, nothing stale is believed to be there.
  const canonical = slot.canonical.slice(0, reusable);
  slot.canonical = [];
  await slot.sequence.truncate(reusable);
  slot.canonical = canonical;
  if (slot.task !== undefined) slot.task.cachedTokens = reusable;
  return reusable;
}

async function decode(
  generation: Generation,
  last: readonly number[],
  cached: number,
  started: number,
): Promise<GenerationEnd> {
  const { model, slot, params, constraint, signal, elapsed } = generation;
  const { prompt } = params;
  const written: number[] = [];
  const tokenText = createTokenText((tokens, before) => model.detokenize(tokens, before), prompt);
  const endMark = constraint?.endMark;
  const stops = createStopFilter(endMark === undefined ? params.stop : [...params.stop, endMark]);
  let pending: number[] = [];
  let batch = last;
  let probs = NO_PROBS;
  let hasNewLine = false;
  let firstTokenAt = started;

  const sampled = slot.sequence.decode(last, {
    params: params.sampling,
    constraint,
    history: () => [...prompt.slice(-params.sampling.repeatLastN), ...written],
  });
  try {
    for (;;) {
      generation.onDecode();
      const next = await sampled.next();
      if (next.done === true) throw new Error('the sampler ended without a token');
      if (written.length === 0) firstTokenAt = elapsed();
      const token = next.value;
      written.push(token);
      pending.push(token);
      if (params.probs > 0) {
        probs = [...probs, await weigh(generation, batch, written)];
        batch = [token];
      }

      const isEnd = !params.ignoreEos && model.isEndToken(token);
      const contextFull = prompt.length + written.length >= model.ctx;
      const limited = contextFull || written.length >= params.maxTokens;
      const piece = isEnd ? '' : tokenText.push(token);
      const { text: safe, stop } = stops.push(piece ?? '');
      const ended = stop !== undefined || isEnd || limited;
      const text = ended && stop === undefined ? safe + stops.flush() : safe;
      hasNewLine ||= text.includes('\n');
      noteProgress(slot, last.length, written.length, hasNewLine);
      if (piece !== undefined || ended) {
        const predicted = written.length;
        const pause = generation.onToken({ text, tokens: pending, predicted, probs });
        pending = [];
        probs = NO_PROBS;
        if (pause !== undefined) await pause;
      }
      if (ended) {
        return {
          ...reasonOf(stop, endMark, isEnd, contextFull),
          cachedTokens: cached,
          predicted: written.length,
          heldTokens: slot.sequence.length,
          hasNewLine,
          promptMs: firstTokenAt - started,
          predictedMs: elapsed() - firstTokenAt,
        };
      }
      signal.throwIfAborted();
    }
  } finally {
    await sampled.return();
    const evaluated = [...prompt, ...written].slice(0, slot.sequence.length);
    const kept = canonicalPositions(prompt.length, evaluated.length, generation.prefillChunk);
    slot.canonical = evaluated.slice(0, kept);
  }
}

const NO_PROBS: readonly ProbReport[] = [];

/** The probabilities of the newest token written. @param batch what was evaluated before it */
async function weigh(
  { model, slot, params, onDecode }: Generation,
  batch: readonly number[],
  written: readonly number[],
): Promise<ProbReport> {
  onDecode();
  const recent = [
    ...params.prompt.slice(-CONTEXT_TOKENS),
    ...written.slice(-CONTEXT_TOKENS - 1, -1),
  ];
  const before = recent.slice(-CONTEXT_TOKENS);
  const sampled = await slot.sequence.weigh(batch, written.at(-1) ?? -1, params.probs);
  return { ...sampled, textOf: (token) => model.detokenize([token], before) };
}

function reasonOf(
  stop: string | undefined,
  endMark: string | undefined,
  isEnd: boolean,
  contextFull: boolean,
): Pick<GenerationEnd, 'stopType' | 'stoppingWord' | 'truncated'> {
  if (stop !== undefined && stop !== endMark) {
    return { stopType: 'word', stoppingWord: stop, truncated: false };
  }
  if (stop !== undefined || isEnd) return { stopType: 'eos', stoppingWord: '', truncated: false };
  return { stopType: 'limit', stoppingWord: '', truncated: contextFull };
}

function noteProgress(slot: Slot, lastChunk: number, decoded: number, hasNewLine: boolean): void {
  if (slot.task === undefined) return;
  if (decoded === 1) slot.task.processedTokens += lastChunk;
  slot.task.decodedTokens = decoded;
  slot.task.hasNewLine = hasNewLine;
}
