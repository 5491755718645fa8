import { expect, test } from 'vitest';
import { UNKNOWN_LOAD } from '../api/types.ts';
import { readMetrics } from './metrics.ts';

const TRITON = `# HELP nv_inference_pending_request_count Instantaneous number of pending requests awaiting execution per-model.
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="tensorrt_llm",version="1"} 2
nv_inference_pending_request_count{model="other",version="1"} 50
nv_inference_request_success{model="tensorrt_llm",version="1"} 9
`;
const TRTLLM = `# TYPE nv_trt_llm_request_metrics gauge
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 3
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="active",version="1"} 4
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 64
nv_trt_llm_request_metrics{model="other",request_type="active",version="1"} 60
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm",version="1"} 0.25
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="tensorrt_llm",version="1"} 4000
`;
const VLLM = `vllm:num_requests_running{model="m",version="1"} 5
vllm:num_requests_waiting{model="m",version="1"} 6
vllm:gpu_cache_usage_perc{model="m",version="1"} 0.5
`;

test('OC-ADAPT-5069 TensorRT-LLM tells what runs, what waits and its KV use', () => {
  expect(readMetrics(TRITON + TRTLLM, ['ensemble', 'tensorrt_llm'])).toEqual({
    running: 4,
    waiting: 5,
    kvUsage: 0.25,
  });
});

test('OC-ADAPT-5069 so does vLLM, where it reports', () => {
  expect(readMetrics(TRITON + VLLM, ['m'])).toEqual({ running: 5, waiting: 6, kvUsage: 0.5 });
});

test.each([
  ['only Triton’s own counts', TRITON, ['tensorrt_llm']],
  ['gauges of other models', TRITON + TRTLLM + VLLM, ['x']],
  ['nothing', '', ['m']],
  ['no exposition', '<html>', ['m']],
])('OC-ADAPT-5069 with %s the load is unknown, not zero', (_name, text, parts) => {
  expect(readMetrics(text, parts)).toEqual(UNKNOWN_LOAD);
});
