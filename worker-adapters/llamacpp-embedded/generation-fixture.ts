import type { CompletionParams } from './completion-request.ts';
import { createFakeModel } from './fake-token-model.ts';
import { generate, type GenerationEnd, type TokenEvent } from './generation.ts';
import { SAMPLING_DEFAULTS } from './sampling.ts';
import type { Slot } from './slots.ts';
import type { TokenModel } from './token-model.ts';

/** Parameters of a byte prompt for the fake model. */
export function completionParams(
  given: Partial<Omit<CompletionParams, 'prompt'>> & { prompt: string; seed?: number },
): CompletionParams {
  const { prompt, seed = 1, ...rest } = given;
  return {
    prompt: [...Buffer.from(prompt)],
    sampling: { ...SAMPLING_DEFAULTS, seed },
    maxTokens: 8,
    stop: [],
    ignoreEos: false,
    stream: true,
    returnTokens: false,
    cachePrompt: true,
    pinnedSlot: undefined,
    constraint: undefined,
    probs: 0,
    ...rest,
  };
}

export interface GenerationRun {
  readonly text: string;
  readonly events: readonly TokenEvent[];
  /** Undefined when it was cancelled. */
  readonly end: GenerationEnd | undefined;
}

/** Runs one generation, cancelling it once `cancelAfter` events were seen. */
export async function runGeneration(given: {
  readonly slot: Slot;
  readonly params: CompletionParams;
  readonly model?: TokenModel;
  readonly prefillChunk?: number;
  readonly cancelAfter?: number | undefined;
}): Promise<GenerationRun> {
  const abort = new AbortController();
  const events: TokenEvent[] = [];
  const running = generate({
    model: given.model ?? createFakeModel(),
    slot: given.slot,
    params: given.params,
    constraint: undefined,
    prefillChunk: given.prefillChunk ?? 4,
    signal: abort.signal,
    elapsed: () => 0,
    onDecode: () => undefined,
    onToken: (event) => {
      events.push(event);
      if (events.length === given.cancelAfter) abort.abort(new Error('cancelled'));
    },
  });
  const end = await running.catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
    return undefined;
  });
  return { text: events.map((event) => event.text).join(''), events, end };
}
