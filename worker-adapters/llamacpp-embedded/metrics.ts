import type { GenerationEnd } from './generation.ts';

/** What `/metrics` reads at the moment it is asked. */
export interface LiveGauges {
  readonly processing: number;
  readonly deferred: number;
}

export interface EngineMetrics {
  /** One llama_decode call while `busySlots` slots had work. */
  decoded(busySlots: number): void;
  finished(promptTokens: number, end: GenerationEnd): void;
  /** Prometheus text 0.0.4. The two rate gauges start over with each call, as in llama-server. */
  render(gauges: LiveGauges): string;
}

/** The `llamacpp:` families of llama-server (`tools/server/server-task.cpp`), without the speculative ones. */
export function createEngineMetrics(): EngineMetrics {
  const totals = {
    promptTokens: 0,
    cachedTokens: 0,
    promptMs: 0,
    predicted: 0,
    predictedMs: 0,
    decodes: 0,
    busySlots: 0,
    maxTokens: 0,
  };
  let scraped = { ...totals };
  return {
    decoded(busySlots) {
      totals.decodes += 1;
      totals.busySlots += busySlots;
    },
    finished(promptTokens, end) {
      totals.promptTokens += promptTokens - end.cachedTokens;
      totals.cachedTokens += end.cachedTokens;
      totals.promptMs += end.promptMs;
      totals.predicted += end.predicted;
      totals.predictedMs += end.predictedMs;
      totals.maxTokens = Math.max(totals.maxTokens, end.heldTokens);
    },
    render({ processing, deferred }) {
      const since = scraped;
      scraped = { ...totals };
      const rate = (tokens: number, ms: number) => (ms > 0 ? (1000 * tokens) / ms : 0);
      return [
        counter('prompt_tokens_total', 'Prompt tokens evaluated.', totals.promptTokens),
        counter('prompt_tokens_cached_total', 'Prompt tokens reused.', totals.cachedTokens),
        counter('prompt_seconds_total', 'Time spent on prompts.', totals.promptMs / 1000),
        counter('tokens_predicted_total', 'Tokens generated.', totals.predicted),
        counter(
          'tokens_predicted_seconds_total',
          'Time spent generating.',
          totals.predictedMs / 1000,
        ),
        counter('n_decode_total', 'Calls of llama_decode.', totals.decodes),
        counter('n_tokens_max', 'Most tokens a slot has held.', totals.maxTokens),
        gauge(
          'prompt_tokens_seconds',
          'Prompt tokens per second since the last scrape.',
          rate(totals.promptTokens - since.promptTokens, totals.promptMs - since.promptMs),
        ),
        gauge(
          'predicted_tokens_seconds',
          'Generated tokens per second since the last scrape.',
          rate(totals.predicted - since.predicted, totals.predictedMs - since.predictedMs),
        ),
        gauge('requests_processing', 'Slots at work.', processing),
        gauge('requests_deferred', 'Requests waiting for a slot.', deferred),
        gauge(
          'n_busy_slots_per_decode',
          'Slots at work per call of llama_decode, on average.',
          totals.decodes > 0 ? totals.busySlots / totals.decodes : 0,
        ),
      ].join('');
    },
  };
}

const counter = family('counter');
const gauge = family('gauge');

function family(type: 'counter' | 'gauge') {
  return (name: string, help: string, value: number): string =>
    `# HELP llamacpp:${name} ${help}\n# TYPE llamacpp:${name} ${type}\nllamacpp:${name} ${value}\n`;
}
