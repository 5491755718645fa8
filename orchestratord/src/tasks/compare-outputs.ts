/** Two outputs of one request and seed, held against each other. */

/** The first token that differs; a side that had ended by then has none there. */
export interface TokenDifference {
  /** Of the expected token, from 0. */
  readonly index: number;
  readonly expected?: string;
  readonly actual?: string;
}

export interface OutputComparison {
  /** Tokens of the expected output up to its end, or with the first that differs. */
  readonly tokensCompared: number;
  /** Undefined when the bytes are the same, however they were cut into tokens. */
  readonly firstDifference: TokenDifference | undefined;
}

/**
 * By bytes, not by tokens: an output that was continued after a failover may be cut elsewhere. Texts are
 * compared as strings, which differ where their UTF-8 does. O(length).
 */
export function compareOutputs(
  expected: readonly string[],
  actual: readonly string[],
): OutputComparison {
  const [said, again] = [expected.join(''), actual.join('')];
  if (said === again) return { tokensCompared: expected.length, firstDifference: undefined };
  const at = firstDifferenceOf(said, again);
  const index = tokenAt(expected, at);
  const [its, other] = [expected[index], actual[tokenAt(actual, at)]];
  return {
    tokensCompared: Math.min(index + 1, expected.length),
    firstDifference: {
      index,
      ...(its === undefined ? {} : { expected: its }),
      ...(other === undefined ? {} : { actual: other }),
    },
  };
}

function firstDifferenceOf(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at += 1;
  return at;
}

/** Index of the token that holds a position of the text; their number when the text has ended. */
function tokenAt(tokens: readonly string[], position: number): number {
  let end = 0;
  for (const [index, token] of tokens.entries()) {
    end += token.length;
    if (position < end) return index;
  }
  return tokens.length;
}
