import { CHAT_TEMPLATE } from '../kit/chat.ts';

/** The models that Triton serves: their interfaces, as their configurations give them. */

/** Whose interface the model has, see `ModelKind` of the adapter. */
export const BACKENDS = ['trtllm', 'llmapi', 'vllm'] as const;
export type Backend = (typeof BACKENDS)[number];

export const MODEL = 'sim';
/** Triton serves no template; this one is the operator's. */
export const OPERATORS_TEMPLATE = CHAT_TEMPLATE;

type DataType = 'STRING' | 'BOOL' | 'INT32' | 'UINT32' | 'UINT64' | 'FP32';

interface Tensor {
  readonly name: string;
  readonly type: DataType;
  /** -1 for any number of elements. */
  readonly dims: readonly number[];
  readonly optional: boolean;
}

const tensor = (name: string, type: DataType, elements = 1, optional = true): Tensor => ({
  name,
  type,
  dims: [elements],
  optional,
});
const named = (type: DataType, names: readonly string[]) => names.map((name) => tensor(name, type));

interface ModelInterface {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly config: object;
}

const TEXT_INPUT = tensor('text_input', 'STRING', 1, false);
const TEXT_OUTPUT = tensor('text_output', 'STRING', -1, false);

/** TensorRT-LLM, `triton_backend/all_models/inflight_batcher_llm/ensemble/config.pbtxt`. */
const TRTLLM: ModelInterface = {
  inputs: [
    TEXT_INPUT,
    tensor('max_tokens', 'INT32', 1, false),
    tensor('stop_words', 'STRING', -1),
    tensor('bad_words', 'STRING', -1),
    ...named('BOOL', ['stream', 'exclude_input_in_output', 'return_log_probs']),
    ...named('BOOL', ['return_num_input_tokens', 'return_num_output_tokens']),
    ...named('INT32', ['end_id', 'pad_id', 'top_k', 'min_tokens', 'beam_width']),
    ...named('FP32', ['top_p', 'temperature', 'length_penalty', 'repetition_penalty']),
    ...named('FP32', ['presence_penalty', 'frequency_penalty']),
    tensor('seed', 'UINT64'),
    ...named('STRING', ['guided_decoding_guide_type', 'guided_decoding_guide']),
  ],
  outputs: [TEXT_OUTPUT, ...named('INT32', ['num_input_tokens', 'num_output_tokens'])],
  config: {
    platform: 'ensemble',
    backend: '',
    ensemble_scheduling: {
      step: ['preprocessing', 'tensorrt_llm', 'postprocessing'].map((model_name) => ({
        model_name,
        model_version: -1,
      })),
    },
  },
};

/** TensorRT-LLM, `triton_backend/all_models/llmapi/tensorrt_llm/config.pbtxt`. */
const LLMAPI: ModelInterface = {
  inputs: [
    tensor('text_input', 'STRING', -1, false),
    tensor('streaming', 'BOOL'),
    ...named('INT32', ['sampling_param_best_of', 'sampling_param_top_k']),
    tensor('sampling_param_max_tokens', 'INT32'),
    ...named('FP32', ['sampling_param_temperature', 'sampling_param_top_p']),
    ...named('FP32', ['sampling_param_frequency_penalty', 'sampling_param_presence_penalty']),
    tensor('sampling_param_stop', 'STRING', -1),
    tensor('sampling_param_seed', 'UINT64'),
    tensor('sampling_param_exclude_input_from_output', 'BOOL'),
    ...named('BOOL', ['return_finish_reason', 'return_stop_reason', 'stop']),
  ],
  outputs: [TEXT_OUTPUT, ...named('STRING', ['finish_reason', 'stop_reason'])],
  config: {
    platform: '',
    backend: 'python',
    model_transaction_policy: { decoupled: true },
  },
};

/** Triton's vLLM backend, `src/model.py`. */
const VLLM: ModelInterface = {
  inputs: [
    TEXT_INPUT,
    ...named('BOOL', ['stream', 'exclude_input_in_output', 'return_finish_reason']),
    ...named('BOOL', ['return_num_input_tokens', 'return_num_output_tokens', 'return_logprobs']),
    tensor('sampling_parameters', 'STRING'),
  ],
  outputs: [
    TEXT_OUTPUT,
    tensor('finish_reason', 'STRING', -1),
    ...named('UINT32', ['num_input_tokens', 'num_output_tokens']),
  ],
  config: {
    platform: '',
    backend: 'vllm',
    model_transaction_policy: { decoupled: true },
    parameters: { REPORT_CUSTOM_METRICS: { string_value: 'true' } },
  },
};

const INTERFACES: Readonly<Record<Backend, ModelInterface>> = {
  trtllm: TRTLLM,
  llmapi: LLMAPI,
  vllm: VLLM,
};

export function inputsOf(backend: Backend): readonly Tensor[] {
  return INTERFACES[backend].inputs;
}

/** `GET /v2/models/{m}/config`. */
export function configAnswer(backend: Backend, extra: object): object {
  const { inputs, outputs, config } = INTERFACES[backend];
  const toConfig = ({ name, type, dims, optional }: Tensor) => ({
    name,
    data_type: `TYPE_${type}`,
    dims,
    optional,
  });
  return {
    name: MODEL,
    max_batch_size: 0,
    input: inputs.map(toConfig),
    output: outputs.map(toConfig),
    ...config,
    ...extra,
  };
}

/** `GET /v2/models/{m}`. */
export function metadataAnswer(backend: Backend): object {
  const { inputs, outputs } = INTERFACES[backend];
  const toMetadata = ({ name, type, dims }: Tensor) => ({
    name,
    datatype: type === 'STRING' ? 'BYTES' : type,
    shape: dims,
  });
  return {
    name: MODEL,
    versions: ['1'],
    platform: backend === 'trtllm' ? 'ensemble' : backend === 'vllm' ? 'vllm' : 'python',
    inputs: inputs.map(toMetadata),
    outputs: outputs.map(toMetadata),
  };
}
