import { parseObject } from '../kit/http-answers.ts';
import type { JsonBody } from '../kit/http-answers.ts';
import { inputsOf, MODEL } from './models.ts';
import type { Backend } from './models.ts';
import { FirstResponseError, refusal } from './refusals.ts';

export interface GenerateRequest {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly stream: boolean;
  /** The prompt stands before the text. */
  readonly echo: boolean;
  readonly returnFinishReason: boolean;
  readonly returnInputTokens: boolean;
  readonly returnOutputTokens: boolean;
}

/** What vLLM and the LLM API do without a bound. */
const DEFAULT_MAX_TOKENS: Readonly<Record<Backend, number>> = { trtllm: 0, llmapi: 32, vllm: 16 };

/**
 * Reads a body of the generate extension: every key, at the top or in `parameters`, is an input tensor
 * of the model or else a request parameter.
 * @throws SimHttpError 400 as Triton, 500 as a backend refuses it
 */
export function parseGenerate(backend: Backend, text: string): GenerateRequest {
  const body = parseObject(text);
  if (body === undefined) throw refusal(400, 'failed to parse the request JSON buffer');
  const { tensors, parameters } = sort(backend, body);
  const flag = (name: string) => tensors[name] === true;
  const common = {
    prompt: String(tensors['text_input']),
    stream: flag('stream') || flag('streaming'),
    returnFinishReason: flag('return_finish_reason'),
    returnInputTokens: flag('return_num_input_tokens'),
    returnOutputTokens: flag('return_num_output_tokens'),
  };
  if (backend === 'vllm') {
    const sampling = samplingOf(tensors['sampling_parameters']) ?? parameters;
    const asked = readSampling(backend, sampling, '');
    return { ...common, ...asked, echo: !common.stream && !flag('exclude_input_in_output') };
  }
  const isLlmApi = backend === 'llmapi';
  const excludes = isLlmApi
    ? 'sampling_param_exclude_input_from_output'
    : 'exclude_input_in_output';
  return {
    ...common,
    ...readSampling(backend, tensors, isLlmApi ? 'sampling_param_' : ''),
    echo: !common.stream && !flag(excludes),
  };
}

function readSampling(backend: Backend, values: JsonBody, prefix: string) {
  const number = (name: string, fallback: number) => {
    const value = values[prefix + name];
    return typeof value === 'number' ? value : fallback;
  };
  // TensorRT-LLM's preprocessing takes an empty string for no words.
  const stop = values[`${prefix}${backend === 'trtllm' ? 'stop_words' : 'stop'}`] ?? [];
  return {
    maxTokens: number('max_tokens', DEFAULT_MAX_TOKENS[backend]),
    seed: number('seed', 0),
    stop: (Array.isArray(stop) ? stop : [stop]).filter(
      (word) => typeof word === 'string' && word !== '',
    ),
  };
}

/** Tells tensors from request parameters, and refuses what Triton does. */
function sort(backend: Backend, body: JsonBody) {
  const tensors: Record<string, unknown> = {};
  const parameters: Record<string, unknown> = {};
  const inputs = inputsOf(backend);
  const { parameters: nested, id: _id, ...top } = body;
  for (const [name, value] of Object.entries({ ...top, ...(nested as object | undefined) })) {
    const input = inputs.find((each) => each.name === name);
    if (input === undefined) {
      if (typeof value === 'object') throw refusal(400, `parameter '${name}' has invalid type`);
      parameters[name] = value;
      continue;
    }
    for (const element of Array.isArray(value) ? value : [value]) checkType(input.type, element);
    tensors[name] = Array.isArray(value) && value.length === 1 ? value[0] : value;
  }
  const required = inputs.filter(({ optional }) => !optional);
  const missing = required.filter(({ name }) => tensors[name] === undefined);
  if (missing.length > 0) {
    const quoted = missing.map(({ name }) => `'${name}'`).join();
    throw refusal(
      400,
      `expected ${required.length} inputs but got ${required.length - missing.length} inputs for model '${MODEL}'. Missing required input(s) [${quoted}].`,
    );
  }
  return { tensors, parameters };
}

function checkType(type: string, value: unknown): void {
  const wanted = type === 'STRING' ? 'string' : type === 'BOOL' ? 'boolean' : 'number';
  if (typeof value === wanted) return;
  throw refusal(400, `attempt to access JSON non-${wanted} as ${wanted}`);
}

/** The vLLM backend goes on without the parameters that it could not read, and then stumbles. */
function samplingOf(text: unknown): JsonBody | undefined {
  if (typeof text !== 'string') return undefined;
  const sampling = parseObject(text);
  const isValid = sampling !== undefined && !(Number(sampling['temperature']) < 0);
  if (isValid) return sampling;
  const raised = "'NoneType' object has no attribute 'lora_name'";
  throw new FirstResponseError(500, `Error generating stream: ${raised}`);
}
