/** Which requirements an OpenAPI file says its operations fulfil (`x-req-id`). */
import { parse } from 'yaml';

interface Operation {
  readonly operationId?: string;
  readonly 'x-req-id'?: readonly string[];
}

/** Operation id → the ids it names. A file without paths gives none. */
export function operationsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const { paths = {} } = parse(text) as {
    readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  return new Map(
    Object.values(paths)
      .flatMap((item) => Object.values(item))
      .flatMap(({ operationId, 'x-req-id': ids = [] }) =>
        operationId === undefined ? [] : [[operationId, ids] as const],
      ),
  );
}
