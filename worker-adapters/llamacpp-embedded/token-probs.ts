/** Probabilities as `n_probs` asks for them, and their form on the wire (`tools/server/server-task.cpp`). */

export interface TokenProb {
  readonly token: number;
  /**
   * Natural logarithm of the token's share in the softmax over all logits of the vocabulary, before
   * penalties, filters, temperature and grammar.
   */
  readonly logprob: number;
}

/** What the model thought of a sampled token. */
export interface SampledProb extends TokenProb {
  /** The likeliest tokens in its place, likeliest first. */
  readonly top: readonly TokenProb[];
}

/** A sampled token's probability with the texts of all tokens it names. */
export interface ProbReport extends SampledProb {
  /** Text of a token behind what was written before it, '' for a control token. */
  readonly textOf: (token: number) => string;
}

/** JSON knows no -Infinity: llama-server writes the lowest float for a probability of 0. */
const LOWEST = -3.4028234663852886e38;

/** `completion_probabilities`. Without `bytes`: node-llama-cpp hands out text only. */
export function probabilityObjects(reports: readonly ProbReport[]): readonly object[] {
  return reports.map((report) => {
    const entry = ({ token, logprob }: TokenProb) => ({
      id: token,
      token: report.textOf(token),
      logprob: Math.max(LOWEST, logprob),
    });
    return { ...entry(report), top_logprobs: report.top.map(entry) };
  });
}

/**
 * Turns logits into logarithms of probabilities.
 * @param logits at least those of `token` and of the `top` likeliest tokens
 * @param weight sum of exp(logit - greatest logit) over the whole vocabulary
 */
export function toSampledProb(
  logits: ReadonlyMap<number, number>,
  weight: number,
  token: number,
  top: number,
): SampledProb {
  const ordered = [...logits].sort(([a, x], [b, y]) => y - x || a - b);
  const greatest = ordered[0]?.[1] ?? 0;
  const logprobOf = (logit: number) => logit - greatest - Math.log(weight);
  return {
    token,
    logprob: logprobOf(logits.get(token) ?? -Infinity),
    top: ordered.slice(0, top).map(([id, logit]) => ({ token: id, logprob: logprobOf(logit) })),
  };
}
