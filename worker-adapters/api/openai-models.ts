import { field, numberField, stringField } from './json-fields.ts';

/** An entry of `GET /v1/models`. */
export interface ServedModel {
  readonly id: string;
  /** Where the server took it from: a path or a name in a hub. */
  readonly root: string | undefined;
  /** Tokens of prompt and output together, from servers that say it (vLLM, SGLang). */
  readonly maxModelLen: number | undefined;
}

/**
 * Finds one model in the list `{"object":"list","data":[{"id",…}]}`: the one called `name`, else the first
 * that is no adapter of another one. Undefined when `answer` is no such list or it is not in it.
 */
export function findServedModel(
  answer: unknown,
  name: string | undefined,
): ServedModel | undefined {
  const data = field(answer, 'data');
  if (!Array.isArray(data)) return undefined;
  const entry = (data as readonly unknown[]).find((each) =>
    name === undefined ? (field(each, 'parent') ?? null) === null : field(each, 'id') === name,
  );
  const id = stringField(entry, 'id');
  if (id === undefined) return undefined;
  return {
    id,
    root: stringField(entry, 'root'),
    maxModelLen: numberField(entry, 'max_model_len'),
  };
}
