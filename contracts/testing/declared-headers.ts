/** The headers and media types of answers, held against the contract. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { OperationId } from '../generated/operations.ts';
import {
  object,
  pointer,
  placesIn,
  type Contract,
  type JsonObject,
  type Places,
} from '../scripts/contract-document.ts';

export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;
/** What is wrong with the headers of an answer; empty when nothing is. */
export type HeaderCheck = (
  operationId: OperationId,
  status: number,
  headers: AnswerHeaders,
) => readonly string[];

/** Of HTTP itself, and of every server's. */
const COMMON = new Set(
  'connection content-length content-type date keep-alive transfer-encoding cache-control allow vary x-accel-buffering'.split(
    ' ',
  ),
);

interface Declared {
  readonly headers: ReadonlyMap<string, (text: string) => boolean>;
  readonly required: readonly string[];
  /** Empty for an answer without a body. */
  readonly mediaTypes: readonly string[];
}

export function headerCheck(contracts: readonly Contract[]): HeaderCheck {
  const declared = new Map<string, ReadonlyMap<string, Declared>>();
  const places = placesIn(contracts);
  for (const { file, document } of contracts) {
    for (const [path, item] of Object.entries(object(document['paths']))) {
      for (const [method, operation] of Object.entries(object(item))) {
        if (method === 'parameters') continue;
        const { operationId, responses } = object(operation) as Record<string, JsonObject> & {
          operationId: string;
        };
        const byStatus = Object.keys(object(responses)).map((status) => {
          const place = `${file}#${pointer('paths', path, method, 'responses', status)}`;
          return [status, declaredAt(places, places.resolve(place))] as const;
        });
        declared.set(operationId, new Map(byStatus));
      }
    }
  }
  return (operationId, status, headers) => {
    const answers = declared.get(operationId);
    const answer = answers?.get(String(status)) ?? answers?.get('default');
    return answer === undefined ? ['no such answer is declared'] : faultsOf(answer, headers);
  };
}

function declaredAt({ at, resolve }: Places, place: string): Declared {
  const { headers = {}, content = {} } = at(place);
  const ajv = new Ajv2020({ validateFormats: false, strict: false });
  const found = Object.keys(object(headers)).map((name) => {
    const header = at(resolve(`${place}${pointer('headers', name)}`));
    const schema = object(header['schema']);
    const validate = ajv.compile<unknown>(schema);
    const isText = schema['type'] === 'string';
    const check = (text: string): boolean => text !== '' && validate(isText ? text : Number(text));
    return { name: name.toLowerCase(), check, isRequired: header['required'] === true };
  });
  return {
    headers: new Map(found.map(({ name, check }) => [name, check])),
    required: found.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    mediaTypes: Object.keys(object(content)),
  };
}

function faultsOf(declared: Declared, headers: AnswerHeaders): readonly string[] {
  const faults: string[] = [];
  for (const name of declared.required) {
    if (headers[name] === undefined) faults.push(`${name} is missing`);
  }
  for (const [name, value] of Object.entries(headers)) {
    const check = declared.headers.get(name);
    if (check === undefined) {
      if (!COMMON.has(name)) faults.push(`${name} is not declared`);
    } else if (typeof value !== 'string' || !check(value)) {
      faults.push(`${name} is ${String(value)}`);
    }
  }
  const type = headers['content-type'];
  const essence = typeof type === 'string' ? (type.split(';')[0] ?? '').trim() : undefined;
  const isDeclared =
    essence === undefined
      ? declared.mediaTypes.length === 0
      : declared.mediaTypes.includes(essence);
  if (!isDeclared) faults.push(`content-type is ${String(type)}`);
  return faults;
}
