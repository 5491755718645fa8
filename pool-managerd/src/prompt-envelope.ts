/**
 * Learns how a model's chat template wraps one bare user message, so that wrapping a prompt costs a
 * string concatenation instead of a round trip.
 *
 * Two probe messages are rendered. Only when both come back verbatim, once each, between the same two
 * strings, is the wrapping taken to be constant; a template that trims, escapes or looks into the
 * content fails this and is rendered per request.
 */
import { EngineError } from '@llama-orch/worker-adapters';
import type { EngineProps, WorkerAdapter } from '@llama-orch/worker-adapters';
import type { ChatRendering, PromptEnvelope } from './types.ts';

/**
 * What templates are known to trim, escape, split at or switch on: outer white space, HTML and JSON
 * specials, template syntax, end-of-turn and reasoning markers, characters outside the BMP.
 */
const PROBES = [
  ' \t\n Odd \r\n <&>"\'\\ {{ x }} {% if %} </think> /no_think <|im_end|> [INST] ünï 文 🦙 \u0000 0 \n\n ',
  '\n 1 plain \t',
] as const;

/** A template that prints the time renders differently tomorrow than when it was probed. */
const TIME_DEPENDENT = /strftime_now|\bnow\(\)/;

/**
 * @returns undefined when the model has no chat template, `render` when the wrapping is not constant,
 *   `engine` when only the engine can render
 * @throws EngineError when the engine fails to answer, other than by refusing the probe
 */
export async function learnPromptEnvelope(
  adapter: WorkerAdapter,
  props: EngineProps,
  signal: AbortSignal,
): Promise<ChatRendering | undefined> {
  if (props.chat === 'none') return undefined;
  if (props.chat === 'engine') return 'engine';
  if (TIME_DEPENDENT.test(props.chatTemplate ?? '')) return 'render';
  try {
    const [first, second] = await Promise.all(
      PROBES.map(async (content) => {
        const rendered = await adapter.applyTemplate([{ role: 'user', content }], signal);
        return wrappingOf(rendered, content);
      }),
    );
    const constant =
      first !== undefined && first.prefix === second?.prefix && first.suffix === second.suffix;
    return constant ? first : 'render';
  } catch (error) {
    if (error instanceof EngineError && error.fault === 'permanent') return 'render';
    throw error;
  }
}

/** What stands around the only verbatim occurrence of `content`, or undefined when there is none. */
export function wrappingOf(rendered: string, content: string): PromptEnvelope | undefined {
  const at = rendered.indexOf(content);
  if (at < 0 || rendered.lastIndexOf(content) !== at) return undefined;
  return { prefix: rendered.slice(0, at), suffix: rendered.slice(at + content.length) };
}
