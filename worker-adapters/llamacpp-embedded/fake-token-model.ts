import { createHash } from 'node:crypto';
import type { SequenceSampling, TokenModel, TokenSequence } from './token-model.ts';

/** Tokens 0..255 are bytes, 256 ends a text. */
export const END_TOKEN = 256;

/** A cell of the fake KV cache: the token, and the batch it was computed in. */
interface Cell {
  readonly token: number;
  readonly batch: string;
}

export interface FakeModelOptions {
  readonly ctx?: number;
  readonly slots?: number;
  /** Plays these tokens instead of sampled ones. */
  readonly script?: readonly number[];
  /** Awaited before every decode. */
  readonly beforeDecode?: () => Promise<void> | void;
}

/**
 * A model for tests of everything above llama.cpp. Its next token is a hash of all the cache holds,
 * the shape of every batch included, so one cell computed in another batch than in a cold run gives
 * another text: exactly the way in which a real engine loses byte-exactness, made loud.
 */
export function createFakeModel(options: FakeModelOptions = {}): TokenModel {
  const { ctx = 256, slots = 1 } = options;
  const text = (tokens: readonly number[]) =>
    Buffer.from(tokens.filter((token) => token < END_TOKEN)).toString('utf8');
  return {
    vocabSize: END_TOKEN + 1,
    chatTemplate: "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}",
    bosToken: '',
    eosToken: '<end>',
    addsBos: false,
    description: 'fake',
    sizeBytes: 0,
    trainCtx: ctx,
    buildInfo: 'fake-1',
    ctx,
    sequences: Array.from({ length: slots }, () => createFakeSequence(options)),
    tokenize: (content) => [...Buffer.from(content)],
    detokenize: text,
    render: text,
    isEndToken: (token) => token === END_TOKEN,
    compileConstraint: () => Promise.reject(new Error('the fake model knows no grammars')),
  };
}

function createFakeSequence({ script, beforeDecode }: FakeModelOptions): TokenSequence {
  const cells: Cell[] = [];
  const evaluate = (tokens: readonly number[]) => {
    const batch = `${cells.length}+${tokens.length}`;
    cells.push(...tokens.map((token) => ({ token, batch })));
  };
  const sample = ({ params }: SequenceSampling, at: number): number => {
    if (script !== undefined) return script[at] ?? END_TOKEN;
    const hash = createHash('sha256')
      .update(JSON.stringify([params.seed, cells]))
      .digest();
    return 97 + ((hash[0] ?? 0) % 26);
  };
  return {
    get length() {
      return cells.length;
    },
    keepsPrefix: true,
    truncate(length) {
      cells.length = Math.min(cells.length, length);
      return Promise.resolve();
    },
    async prefill(tokens) {
      await beforeDecode?.();
      evaluate(tokens);
    },
    async *decode(tokens, sampling) {
      let next = tokens;
      for (let at = 0; ; at += 1) {
        await beforeDecode?.();
        evaluate(next);
        const token = sample(sampling, at);
        yield token;
        next = [token];
      }
    },
    async weigh(batch, token, top) {
      await beforeDecode?.();
      const dropped = cells.splice(cells.length - batch.length).map((cell) => cell.token);
      if (dropped.join() !== batch.join()) throw new Error('that is not the newest batch');
      evaluate(batch);
      const likely = Array.from({ length: top }, (_, at) => ({ token: 97 + at, logprob: -1 - at }));
      return { token, logprob: -0.5, top: likely };
    },
  };
}
