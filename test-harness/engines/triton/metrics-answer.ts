import type { SlotTable } from '../kit/slots.ts';
import { MODEL } from './models.ts';
import type { Backend } from './models.ts';

/** `GET :8002/metrics`: Triton's own counts, and what the backend adds. The LLM API adds nothing. */
export function metricsAnswer(backend: Backend, table: SlotTable, finished: number): string {
  const { busy, deferred, slots } = table;
  const own = `model="${MODEL}",version="1"`;
  const engine = 'model="tensorrt_llm"';
  const lines = [
    `nv_inference_request_success{${own}} ${finished}`,
    `nv_inference_pending_request_count{${own}} 0`,
  ];
  if (backend === 'trtllm') {
    const requests = { active: busy, max: slots.length, scheduled: busy, context: 0 };
    for (const [type, count] of Object.entries({ ...requests, waiting: deferred })) {
      lines.push(
        `nv_trt_llm_request_metrics{${engine},request_type="${type}",version="1"} ${count}`,
      );
    }
    const share = busy / slots.length;
    lines.push(
      `nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",${engine},version="1"} ${share}`,
    );
  }
  if (backend === 'vllm') {
    lines.push(`vllm:num_requests_running{${own}} ${busy}`);
    lines.push(`vllm:num_requests_waiting{${own}} ${deferred}`);
    lines.push(`vllm:gpu_cache_usage_perc{${own}} ${busy / slots.length}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}
