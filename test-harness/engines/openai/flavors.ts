/** The servers of OpenAI's API that can be simulated; `generic` is one that is like no other. */
export const SIM_FLAVORS = ['generic', 'sglang', 'ollama', 'lmstudio'] as const;
export type SimFlavor = (typeof SIM_FLAVORS)[number];

/** In what the simulated servers differ, beside the shapes of their answers. */
export interface FlavorRules {
  /** Streams end with usage where it is asked for. */
  readonly tellsUsage: boolean;
  /** A prompt and the tokens asked for must fit the context together; else the context ends the text. */
  readonly reservesContext: boolean;
  /** Tokens of `/completions` without a bound. */
  readonly defaultMaxTokens: number;
  /** Probabilities are given where they are asked for. */
  readonly tellsLogprobs: boolean;
  /** It sends the status when a request arrives; the others when a slot takes it. */
  readonly answersAtOnce: boolean;
  /** The field of a chat delta that carries reasoning. */
  readonly reasoningField: 'reasoning' | 'reasoning_content';
}

export const FLAVOR_RULES = {
  generic: {
    tellsUsage: false,
    reservesContext: true,
    defaultMaxTokens: 16,
    tellsLogprobs: true,
    answersAtOnce: true,
    reasoningField: 'reasoning_content',
  },
  sglang: {
    tellsUsage: true,
    reservesContext: true,
    defaultMaxTokens: 16,
    tellsLogprobs: true,
    answersAtOnce: false,
    reasoningField: 'reasoning_content',
  },
  ollama: {
    tellsUsage: true,
    reservesContext: false,
    defaultMaxTokens: Infinity,
    tellsLogprobs: false,
    answersAtOnce: false,
    reasoningField: 'reasoning',
  },
  lmstudio: {
    tellsUsage: true,
    reservesContext: false,
    defaultMaxTokens: Infinity,
    tellsLogprobs: false,
    answersAtOnce: false,
    reasoningField: 'reasoning',
  },
} as const satisfies Record<SimFlavor, FlavorRules>;

/** @throws TypeError when the value names none */
export function parseFlavor(value: unknown): SimFlavor {
  const flavor = SIM_FLAVORS.find((each) => each === value);
  if (flavor === undefined) throw new TypeError(`not a flavor: ${String(value)}`);
  return flavor;
}
