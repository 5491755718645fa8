import { field, numberField, stringField } from '../api/json-fields.ts';
import { findServedModel } from '../api/openai-models.ts';
import type { ServedModel } from '../api/openai-models.ts';
import { EngineError } from '../api/types.ts';
import type { EngineProps } from '../api/types.ts';
import type { ServerIdentity } from './flavor.ts';

/** What was asked of the server to make its props. */
export interface ServerAnswers {
  readonly identity: ServerIdentity;
  /** `GET /models` of the OpenAI API. */
  readonly models: unknown;
  /** Ollama's `GET /api/tags` and `GET /api/ps`; undefined for all others. */
  readonly tags?: unknown;
  readonly running?: unknown;
}

/** Ollama's tag of a name without one. */
const DEFAULT_TAG = ':latest';

/**
 * The model a replica serves in an OpenAI list of models: the one configured, or the only one listed.
 * @throws EngineError `permanent` when it is not listed, or cannot be told among several; `garbage` when
 * `models` is no such list
 */
export function findModel(models: unknown, configured: string | undefined): ServedModel {
  const data = field(models, 'data');
  if (!Array.isArray(data)) {
    throw new EngineError('garbage', 'openai', '/models is no list of models');
  }
  if (configured === undefined && data.length !== 1) {
    const message = `the server lists ${data.length} models: name one`;
    throw new EngineError('permanent', 'openai', message);
  }
  const found =
    findServedModel(models, configured) ?? findServedModel(models, `${configured}${DEFAULT_TAG}`);
  if (found !== undefined) return found;
  throw new EngineError('permanent', 'openai', `the server does not list ${configured}`);
}

/** Puts together what the server says; what it does not say stays undefined. */
export function readProps(answers: ServerAnswers, model: string): EngineProps {
  const { identity } = answers;
  const { flavor, info } = identity;
  const isSglang = flavor === 'sglang';
  return {
    engineVersion: versionOf(identity),
    modelAlias: model,
    modelPath: isSglang ? stringField(info, 'model_path') : undefined,
    modelDigest: digestOf(stringField(named(field(answers.tags, 'models'), model), 'digest')),
    slots: isSglang ? positive(numberField(info, 'max_running_requests')) : undefined,
    ctx: contextOf(answers, model),
    kvTokens: isSglang ? positive(numberField(info, 'max_total_num_tokens')) : undefined,
    chunkTokens: isSglang ? positive(numberField(info, 'chunked_prefill_size')) : undefined,
    chat: 'engine',
    chatTemplate: undefined,
    exactPrefixReuse: false,
  };
}

/** The server's name stands before its version, because versions of different servers may be equal. */
function versionOf({ flavor, info }: ServerIdentity): string {
  const version = stringField(info, 'version') ?? 'unknown';
  return flavor === 'generic' ? version : `${flavor} ${version}`;
}

/**
 * The context that requests get, and not what the model could have: SGLang tells it with its models,
 * Ollama and LM Studio only while the model is loaded.
 */
function contextOf({ identity, models, running }: ServerAnswers, model: string) {
  const { flavor, info } = identity;
  switch (flavor) {
    case 'ollama':
      return positive(numberField(named(field(running, 'models'), model), 'context_length'));
    case 'lmstudio':
      return positive(loadedContext(info, model));
    case 'sglang':
    case 'generic':
      return positive(numberField(named(field(models, 'data'), model), 'max_model_len'));
  }
}

/** `loaded_context_length` of REST v0, or the configuration of the first loaded instance of v1. */
function loadedContext(info: unknown, model: string): number | undefined {
  const v0 = numberField(named(field(info, 'data'), model), 'loaded_context_length');
  if (v0 !== undefined) return v0;
  const instances = field(named(field(info, 'models'), model), 'loaded_instances');
  if (!Array.isArray(instances)) return undefined;
  return numberField(field(instances[0], 'config'), 'context_length');
}

/** The entry of a list that carries this name, under whichever of the keys in use. */
function named(entries: unknown, model: string): unknown {
  if (!Array.isArray(entries)) return undefined;
  const names = [model, model + DEFAULT_TAG];
  return (entries as readonly unknown[]).find((entry) =>
    ['id', 'key', 'name', 'model'].some((key) => names.includes(stringField(entry, key) ?? '')),
  );
}

/** Ollama writes a SHA-256 with or without its prefix. */
function digestOf(digest: string | undefined): string | undefined {
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/.exec(digest ?? '')?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
