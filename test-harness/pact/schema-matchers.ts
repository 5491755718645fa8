/** What a consumer expects of an answer: an example, and for all that varies the schema's own rule. */
import { MatchersV3 } from '@pact-foundation/pact';
import {
  child,
  resolved,
  scalarText,
  type Json,
  type JsonObject,
  type Place,
} from './contract-examples.ts';

const { arrayContaining, boolean, eachLike, equal, integer, like, number, regex, string } =
  MatchersV3;

/**
 * The example as a Pact template. Values vary within what the schema says of them; those under a pointer
 * of `exact` are fixed. A list holds one or more elements like the example's first; a list whose elements
 * are of several shapes holds, among others, each of the example's.
 * @param exact JSON pointers into the example
 */
export function templateOf(
  schema: Place,
  example: Json,
  exact: ReadonlySet<string>,
  pointer = '',
): unknown {
  if (exact.has(pointer)) return equal(example);
  const place = variantFor(flattened(resolved(schema)), example);
  const { node } = place;
  if (Array.isArray(example))
    return listTemplate(place, example as readonly Json[], exact, pointer);
  if (typeof example === 'object' && example !== null) {
    const entries = Object.entries(example as JsonObject).map(([key, value]) => {
      const below = child(place, 'properties', key) ?? { file: place.file, node: {} };
      return [key, templateOf(below, value, exact, `${pointer}/${key}`)] as const;
    });
    return entries.length === 0 ? like({}) : Object.fromEntries(entries);
  }
  return scalarTemplate(node, example);
}

function listTemplate(
  place: Place,
  example: readonly Json[],
  exact: ReadonlySet<string>,
  pointer: string,
): unknown {
  const [first] = example;
  if (first === undefined) return like([]);
  const items = child(place, 'items') ?? { file: place.file, node: {} };
  const element = (value: Json, n: number) => templateOf(items, value, exact, `${pointer}/${n}`);
  if (items.node['oneOf'] !== undefined) return arrayContaining(...example.map(element));
  return eachLike(element(first, 0));
}

function scalarTemplate(node: JsonObject, example: Json): unknown {
  const { const: only, enum: known, pattern } = node;
  if (only !== undefined) return equal(example);
  if (Array.isArray(known)) return regex(`^(${known.map(String).join('|')})$`, scalarText(example));
  if (typeof example === 'boolean') return boolean(example);
  if (typeof example === 'number') {
    return node['type'] === 'integer' ? integer(example) : number(example);
  }
  if (typeof pattern === 'string') return regex(pattern, scalarText(example));
  return string(scalarText(example));
}

/** `allOf` merged into what stands beside it. */
function flattened(place: Place): Place {
  const { allOf, ...node } = place.node;
  if (!Array.isArray(allOf)) return place;
  return (allOf as readonly JsonObject[]).reduce<Place>(
    (merged, part) => {
      const other = flattened(resolved({ file: place.file, node: part }));
      const properties = { ...asObject(merged.node['properties']) };
      for (const [key, value] of Object.entries(asObject(other.node['properties']))) {
        properties[key] = { ...asObject(properties[key]), ...asObject(value) };
      }
      // References of both files are the same here: shared shapes live in one.
      return { file: other.file, node: { ...merged.node, ...other.node, properties } };
    },
    { file: place.file, node },
  );
}

/** Of a `oneOf`, the shape whose `kind` is the example's. */
function variantFor(place: Place, example: Json): Place {
  const { oneOf } = place.node;
  if (!Array.isArray(oneOf)) return place;
  const shapes = (oneOf as readonly JsonObject[]).map((node) =>
    resolved({ file: place.file, node }),
  );
  const { kind } = asObject(example);
  const found = shapes.find((shape) => {
    const kinds = child(shape, 'properties', 'kind')?.node['enum'];
    return Array.isArray(kinds) && kinds.includes(kind ?? null);
  });
  if (found === undefined) throw new Error(`no shape is of kind ${JSON.stringify(kind)}`);
  return found;
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}
