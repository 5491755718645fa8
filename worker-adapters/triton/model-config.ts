import { field, listOf, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';

/**
 * Who made the model's interface: TensorRT-LLM's `ensemble` and `tensorrt_llm_bls`, TensorRT-LLM's
 * LLM API (`llmapi`), or Triton's vLLM backend.
 */
export type ModelKind = 'trtllm' | 'llmapi' | 'vllm';

/** What is known of a model before anything is asked of it. */
export interface TritonModel {
  readonly kind: ModelKind;
  /** Names of its input tensors: what has another name would be a request parameter. */
  readonly inputs: ReadonlySet<string>;
  /** It may give several responses to one request. */
  readonly streams: boolean;
  /** Whether a response holds what is new or all text so far; undefined where only the stream tells. */
  readonly textOutput: 'delta' | 'cumulative' | undefined;
  /** Context, tokens. */
  readonly ctx: number | undefined;
  /** Names under which its metrics appear: its own, and those of the models that it is made of. */
  readonly parts: readonly string[];
}

/** Inputs that only one kind has. */
const KIND_INPUTS: readonly (readonly [string, ModelKind])[] = [
  ['sampling_parameters', 'vllm'],
  ['sampling_param_max_tokens', 'llmapi'],
  ['max_tokens', 'trtllm'],
];

/** No stock model has these; an operator may add them to `config.pbtxt` to make the context known. */
const CTX_PARAMETERS = ['max_seq_len', 'max_sequence_length', 'max_model_len'];

/**
 * Reads `GET /v2/models/{model}/config` (Triton's model configuration extension; `ModelConfig` of
 * model_config.proto as JSON).
 * @throws EngineError `garbage` when it is no text generation model of a known kind
 */
export function readModelConfig(config: unknown): TritonModel {
  const inputs = new Set(listOf(field(config, 'input')).flatMap((input) => nameOf(input, 'name')));
  const kind = KIND_INPUTS.find(([name]) => inputs.has(name))?.[1];
  if (kind === undefined || !inputs.has('text_input')) {
    throw new EngineError('garbage', 'triton', 'the inputs of the model are of no known kind');
  }
  const isEnsemble = stringField(config, 'platform') === 'ensemble';
  const decoupled = field(field(config, 'model_transaction_policy'), 'decoupled') === true;
  return {
    kind,
    inputs,
    // An ensemble responds as its models do, whatever its own policy says.
    streams: decoupled || isEnsemble,
    textOutput: textOutputOf(kind, isEnsemble, parameterOf(config, 'accumulate_tokens')),
    ctx: CTX_PARAMETERS.map((name) => toCount(parameterOf(config, name))).find(isKnown),
    parts: partsOf(config, kind),
  };
}

/** tensorrtllm_backend `docs/model_config.md`; `llmapi/tensorrt_llm/1/model.py`; vllm_backend `src/`. */
function textOutputOf(
  kind: ModelKind,
  isEnsemble: boolean,
  accumulates: string | undefined,
): TritonModel['textOutput'] {
  if (kind === 'vllm') return 'delta';
  if (kind === 'llmapi') return 'cumulative';
  if (accumulates !== undefined) return /^(true|1)$/i.test(accumulates) ? 'cumulative' : 'delta';
  return isEnsemble ? 'delta' : undefined;
}

function partsOf(config: unknown, kind: ModelKind): string[] {
  const steps = listOf(field(field(config, 'ensemble_scheduling'), 'step'));
  const calls = kind === 'trtllm' ? parameterOf(config, 'tensorrt_llm_model_name') : undefined;
  return [
    ...nameOf(config, 'name'),
    ...steps.flatMap((step) => nameOf(step, 'model_name')),
    ...(calls === undefined ? [] : [calls]),
  ];
}

/** A parameter of the configuration; undefined also where its template was left unfilled. */
function parameterOf(config: unknown, name: string): string | undefined {
  const value = stringField(field(field(config, 'parameters'), name), 'string_value');
  return value === undefined || value === '' || value.startsWith('${') ? undefined : value;
}

function toCount(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

function isKnown(count: number | undefined): count is number {
  return count !== undefined;
}

function nameOf(value: unknown, key: string): string[] {
  const name = stringField(value, key);
  return name === undefined ? [] : [name];
}
