/** From tokens to text: pieces end on code point boundaries, however the text is cut into tokens. */

/** A code point has at most four bytes, so what four tokens did not close is broken for good. */
const MAX_SILENT_TOKENS = 4;
/** Tokens of left context; some vocabularies write a token differently at the start of a text. */
export const CONTEXT_TOKENS = 4;
const REPLACEMENT = '\uFFFD';

export type Detokenize = (tokens: readonly number[], before: readonly number[]) => string;

export interface TokenText {
  /**
   * The text this token completes, or undefined when it only adds to an open code point. One that
   * is still open when generation ends is dropped, as llama-server does.
   */
  push(token: number): string | undefined;
}

/** @param before the tokens in front of the first one pushed, for left context. */
export function createTokenText(detokenize: Detokenize, before: readonly number[]): TokenText {
  let recent = before.slice(-CONTEXT_TOKENS);
  /** Tokens since the last one that ended on a code point boundary, and how much of their text is out. */
  let open: number[] = [];
  let sent = 0;
  let silent = 0;
  return {
    push(token) {
      open.push(token);
      const text = detokenize(open, recent);
      const complete = text.replace(/\uFFFD+$/, '');
      const closed = !text.endsWith(REPLACEMENT);
      silent = complete.length > sent ? 0 : silent + 1;
      const fresh = (silent < MAX_SILENT_TOKENS ? complete : text).slice(sent);
      if (closed || silent >= MAX_SILENT_TOKENS) {
        recent = [...recent, ...open].slice(-CONTEXT_TOKENS);
        open = [];
        sent = 0;
        silent = 0;
        return fresh;
      }
      sent = complete.length;
      return fresh === '' ? undefined : fresh;
    },
  };
}
