import { EngineError } from '../api/types.ts';
import type { EngineRequest } from '../api/types.ts';
import type { TritonModel } from './model-config.ts';

/** A request as one model takes it. */
export interface GenerateRequest {
  readonly body: string;
  /** The bound that was sent. */
  readonly maxTokens: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** More than any context holds; vLLM ends at the end of the context. */
const NO_BOUND = 2 ** 20;
/**
 * TensorRT-LLM sets KV aside for all tokens a request asks for, so a request without a bound is given
 * this one rather than the whole context.
 */
const TENSORRT_BOUND = 1024;

/**
 * The body of `POST /v2/models/{model}/generate_stream` (Triton's generate extension): an object whose
 * keys are the model's input tensors.
 *
 * OC-ADAPT-5010: every input that shapes the output is sent. OC-ADAPT-5062: inputs that this model
 * does not have are left out, because Triton would make request parameters of them and refuses those
 * that are no scalars.
 * @throws EngineError `permanent` for a constraint on the text that the model cannot hold
 */
export function toGenerateRequest(
  request: EngineRequest,
  prompt: string,
  model: TritonModel,
): GenerateRequest {
  const bound = model.kind === 'vllm' ? NO_BOUND : TENSORRT_BOUND;
  const maxTokens = Math.max(1, request.maxTokens ?? bound);
  const fields = {
    text_input: prompt.toWellFormed(),
    ...FIELDS[model.kind](request, maxTokens, model),
  };
  const known = Object.entries(fields).filter(([name]) => model.inputs.has(name));
  refuseLostConstraint(request, new Set(known.map(([name]) => name)));
  return { body: JSON.stringify(Object.fromEntries(known)), maxTokens };
}

const FIELDS = { trtllm: trtllmFields, llmapi: llmapiFields, vllm: vllmFields } as const;

/** Inputs of TensorRT-LLM's `ensemble` and `tensorrt_llm_bls` (their `config.pbtxt`). */
function trtllmFields(request: EngineRequest, maxTokens: number, model: TritonModel): Fields {
  const { grammar, jsonSchema } = request.sampling;
  const { temperature, topK, topP } = withoutZeros(request);
  const guide = grammar ?? jsonSchema;
  return {
    max_tokens: maxTokens,
    stream: model.streams,
    exclude_input_in_output: true,
    temperature,
    top_k: topK,
    top_p: topP,
    seed: request.seed,
    stop_words: orNone(stopOf(request)),
    bad_words: '',
    min_tokens: 0,
    beam_width: 1,
    repetition_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    return_log_probs: false,
    return_num_input_tokens: true,
    return_num_output_tokens: true,
    ...(guide === undefined
      ? {}
      : {
          guided_decoding_guide_type: grammar === undefined ? 'json_schema' : 'ebnf_grammar',
          guided_decoding_guide: grammar ?? JSON.stringify(jsonSchema),
        }),
  };
}

/** Inputs of TensorRT-LLM's `llmapi/tensorrt_llm/config.pbtxt`. Its `stop` would cancel. */
function llmapiFields(request: EngineRequest, maxTokens: number, model: TritonModel): Fields {
  const { temperature, topK, topP } = withoutZeros(request);
  const stop = stopOf(request);
  return {
    streaming: model.streams,
    sampling_param_max_tokens: maxTokens,
    sampling_param_exclude_input_from_output: true,
    sampling_param_temperature: temperature,
    sampling_param_top_k: topK,
    sampling_param_top_p: topP,
    sampling_param_seed: request.seed,
    sampling_param_best_of: 1,
    sampling_param_presence_penalty: 0,
    sampling_param_frequency_penalty: 0,
    ...(stop.length === 0 ? {} : { sampling_param_stop: stop }),
    return_finish_reason: true,
  };
}

/** Inputs of the vLLM backend (`src/model.py`), sampling as the JSON of vLLM's `SamplingParams`. */
function vllmFields(request: EngineRequest, maxTokens: number): Fields {
  const { sampling, seed } = request;
  const { grammar, jsonSchema } = sampling;
  const guide = grammar === undefined ? { json: jsonSchema } : { grammar };
  const isGreedy = sampling.temperature === 0 || sampling.topP === 0;
  return {
    stream: true,
    exclude_input_in_output: true,
    sampling_parameters: JSON.stringify({
      n: 1,
      max_tokens: maxTokens,
      min_tokens: 0,
      temperature: isGreedy ? 0 : sampling.temperature,
      // Older releases refuse 0; -1 is off in all of them.
      top_k: sampling.topK === 0 ? -1 : sampling.topK,
      top_p: sampling.topP === 0 ? 1 : sampling.topP,
      min_p: sampling.minP,
      seed,
      stop: stopOf(request),
      include_stop_str_in_output: false,
      ignore_eos: false,
      skip_special_tokens: true,
      repetition_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      // The backend parses this value as JSON of its own.
      ...((grammar ?? jsonSchema) === undefined
        ? {}
        : { structured_outputs: JSON.stringify(guide) }),
    }),
    return_finish_reason: true,
    return_num_input_tokens: true,
    return_num_output_tokens: true,
  };
}

/** TensorRT-LLM divides by the temperature and refuses a `top_p` of 0: both mean the likeliest token. */
function withoutZeros({ sampling }: EngineRequest) {
  const { temperature, topK, topP } = sampling;
  return temperature === 0 || topP === 0
    ? { temperature: 1, topK: 1, topP: 1 }
    : { temperature, topK, topP };
}

function stopOf({ sampling }: EngineRequest): string[] {
  return sampling.stop.map((text) => text.toWellFormed());
}

/** An empty tensor cannot be sent; TensorRT-LLM's preprocessing takes an empty string for no words. */
function orNone(words: readonly string[]): readonly string[] | string {
  return words.length === 0 ? '' : words;
}

function refuseLostConstraint({ sampling }: EngineRequest, sent: ReadonlySet<string>): void {
  if ((sampling.grammar ?? sampling.jsonSchema) === undefined) return;
  if (sent.has('guided_decoding_guide') || sent.has('sampling_parameters')) return;
  throw new EngineError('permanent', 'triton', 'the model takes neither grammar nor JSON schema');
}
