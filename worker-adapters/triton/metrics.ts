import { samplesOf } from '../api/prometheus-gauges.ts';
import type { Sample } from '../api/prometheus-gauges.ts';
import type { EngineMetrics } from '../api/types.ts';

/**
 * Reads Triton's metrics (`docs/user_guide/metrics.md`) and the gauges that backends add to them: those
 * of TensorRT-LLM (`nv_trt_llm_*`), and those of the vLLM backend where the model's configuration
 * says `REPORT_CUSTOM_METRICS`.
 *
 * Triton's own count of pending requests ends where a backend takes them, so without the backend's
 * gauges the load is unknown.
 * @param parts names of the models whose series count, see `TritonModel`
 */
export function readMetrics(text: string, parts: readonly string[]): EngineMetrics {
  const own = (name: string) =>
    samplesOf(text, name).filter(({ labels }) => parts.includes(labels.get('model') ?? ''));
  const trtllm = (name: string, label: string, value: string) =>
    own(name).filter(({ labels }) => labels.get(label) === value);
  const requests = (type: string) => trtllm('nv_trt_llm_request_metrics', 'request_type', type);
  const inside = sum(requests('waiting')) ?? sum(own('vllm:num_requests_waiting'));
  return {
    running: sum(requests('active')) ?? sum(own('vllm:num_requests_running')),
    waiting:
      inside === undefined
        ? undefined
        : inside + (sum(own('nv_inference_pending_request_count')) ?? 0),
    kvUsage:
      largest(trtllm('nv_trt_llm_kv_cache_block_metrics', 'kv_cache_block_type', 'fraction')) ??
      largest(own('vllm:kv_cache_usage_perc')) ??
      largest(own('vllm:gpu_cache_usage_perc')),
  };
}

function sum(samples: readonly Sample[]): number | undefined {
  return samples.length === 0 ? undefined : samples.reduce((all, { value }) => all + value, 0);
}

function largest(samples: readonly Sample[]): number | undefined {
  return samples.length === 0 ? undefined : Math.max(...samples.map(({ value }) => value));
}
