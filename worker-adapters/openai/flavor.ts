import { field, stringField } from '../api/json-fields.ts';

/** Servers of OpenAI's API that are known more closely; every other one is `generic`. */
export type Flavor = 'generic' | 'sglang' | 'ollama' | 'lmstudio';

/** A server by what it said of itself. */
export interface ServerIdentity {
  readonly flavor: Flavor;
  /** The answer that told it; undefined for `generic`. */
  readonly info: unknown;
}

interface Probe {
  readonly flavor: Flavor;
  /** Below the root of the engine, beside the API. */
  readonly path: string;
  /** Only the shape counts: LM Studio answers 200 on every route, also on those it does not have. */
  readonly isAnswer: (value: unknown) => boolean;
}

/** SGLang comes first: it imitates some of Ollama's routes. */
const PROBES: readonly Probe[] = [
  { flavor: 'sglang', path: '/server_info', isAnswer: isSglangInfo },
  { flavor: 'sglang', path: '/get_server_info', isAnswer: isSglangInfo },
  {
    flavor: 'ollama',
    path: '/api/version',
    isAnswer: (value) => stringField(value, 'version') !== undefined,
  },
  {
    flavor: 'lmstudio',
    path: '/api/v0/models',
    isAnswer: (value) => Array.isArray(field(value, 'data')),
  },
  {
    flavor: 'lmstudio',
    path: '/api/v1/models',
    isAnswer: (value) => Array.isArray(field(value, 'models')),
  },
];

/**
 * Tells a server by the routes that only it has, asked one after another.
 * @param ask the JSON that `GET path` answers under status 200; undefined for any other answer
 */
export async function identifyServer(
  ask: (path: string) => Promise<unknown>,
): Promise<ServerIdentity> {
  for (const { flavor, path, isAnswer } of PROBES) {
    const info = await ask(path);
    if (isAnswer(info)) return { flavor, info };
  }
  return { flavor: 'generic', info: undefined };
}

/** SGLang's router answers the same route for several servers, without a version. */
function isSglangInfo(value: unknown): boolean {
  return (
    stringField(value, 'version') !== undefined && stringField(value, 'model_path') !== undefined
  );
}
