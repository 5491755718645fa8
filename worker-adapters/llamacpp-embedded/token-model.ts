import type { SamplingParams } from './sampling.ts';
import type { SampledProb } from './token-probs.ts';

/**
 * The little of llama.cpp the server needs. `llama-model.ts` is the one implementation that serves;
 * tests of the logic above it bring their own.
 */
export interface TokenModel {
  readonly vocabSize: number;
  readonly chatTemplate: string | undefined;
  /** Text of the begin and end tokens, '' where the model has none. */
  readonly bosToken: string;
  readonly eosToken: string;
  /** Whether prompts start with the begin token. */
  readonly addsBos: boolean;
  readonly description: string;
  readonly sizeBytes: number;
  readonly trainCtx: number;
  /** Name and versions of the engine underneath. */
  readonly buildInfo: string;
  /** Context per slot, tokens. */
  readonly ctx: number;
  readonly sequences: readonly TokenSequence[];
  /** @param addSpecial add the begin and end tokens the model wants around a prompt. */
  tokenize(text: string, options: { addSpecial: boolean; parseSpecial: boolean }): number[];
  /** @param before tokens that precede these in their text; control tokens become ''. */
  detokenize(tokens: readonly number[], before: readonly number[]): string;
  /** Like `detokenize`, with control tokens written out. */
  render(tokens: readonly number[]): string;
  isEndToken(token: number): boolean;
  /** @throws HttpFault or Error when the grammar or schema is not one that can be followed. */
  compileConstraint(source: ConstraintSource): Promise<Constraint>;
}

export type ConstraintSource =
  | { readonly kind: 'grammar'; readonly gbnf: string }
  | { readonly kind: 'schema'; readonly schema: object };

export interface Constraint {
  /** Text the constraint itself puts behind a finished answer; it is a stop string, not output. */
  readonly endMark: string | undefined;
}

/** One sequence of the shared KV cache. Never used by two callers at a time. */
export interface TokenSequence {
  /** Tokens evaluated and held. */
  readonly length: number;
  /** Whether a prefix can be kept when the rest is dropped (recurrent models cannot). */
  readonly keepsPrefix: boolean;
  truncate(length: number): Promise<void>;
  /** Evaluates `tokens` in one batch. */
  prefill(tokens: readonly number[]): Promise<void>;
  /**
   * Evaluates `tokens` in one batch, then yields sampled tokens, end tokens included. A yielded token
   * is evaluated, alone in its batch, when the next one is asked for. Sampler state is fresh.
   */
  decode(tokens: readonly number[], sampling: SequenceSampling): AsyncGenerator<number, void>;
  /**
   * What the model thought of `token` behind what is held, and of the `top` likeliest in its place.
   * Costs an evaluation: the newest batch is dropped and computed again, to the same bits, because
   * node-llama-cpp shows no logits of a token it samples with filters. May be called between two
   * tokens of `decode`. The sequence must keep prefixes.
   * @param batch the tokens of the newest batch
   */
  weigh(batch: readonly number[], token: number, top: number): Promise<SampledProb>;
}

export interface SequenceSampling {
  readonly params: SamplingParams;
  readonly constraint: Constraint | undefined;
  /** Tokens in front of the next one, newest last, for repetition penalties. */
  readonly history: () => readonly number[];
}
