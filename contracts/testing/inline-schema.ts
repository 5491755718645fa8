/** A request's schema as one tree: what the generators of values walk. */
import {
  placesIn,
  referredFrom,
  type Contract,
  type Json,
  type JsonObject,
} from '../scripts/contract-document.ts';

/** The keywords that requests use. A schema with any other cannot be generated from. */
export interface SchemaObject {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly propertyNames?: Schema;
  readonly maxProperties?: number;
  readonly oneOf?: readonly Schema[];
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
  readonly dependentSchemas?: Readonly<Record<string, Schema>>;
  /** Values that a decided condition has ruled out (object-shapes.ts); no keyword of JSON Schema. */
  readonly except?: readonly Json[];
}
export type Schema = boolean | SchemaObject;

const SCHEMAS_INSIDE = ['items', 'additionalProperties', 'propertyNames', 'if', 'then', 'else'];
const MAPS_OF_SCHEMAS = ['properties', 'dependentSchemas'];
const PLAIN = [
  ...['type', 'format', 'enum', 'const', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern'],
  ...['minItems', 'maxItems', 'required', 'maxProperties'],
];
/** They say nothing about what is valid. */
const ANNOTATIONS = ['description', 'default', 'examples'];

/**
 * The schema at a place, every reference replaced by what it leads to.
 * @throws Error for a keyword that generators do not know: it would be ignored otherwise
 */
export function inlineSchema(contracts: readonly Contract[], place: string): SchemaObject {
  const { at } = placesIn(contracts);

  const inline = (node: Json, here: string): Schema => {
    if (typeof node === 'boolean') return node;
    const { $ref: ref, ...rest } = node as JsonObject;
    if (typeof ref !== 'string') return keywords(rest, here);
    const there = referredFrom(here, ref);
    return { ...keywords(at(there), there), ...keywords(rest, here) };
  };
  const keywords = (node: JsonObject, here: string): SchemaObject => {
    const { $ref: ref, ...own } = node;
    const referred = typeof ref === 'string' ? (inline({ $ref: ref }, here) as SchemaObject) : {};
    const entries = Object.entries(own).flatMap(([keyword, value]): [string, unknown][] => {
      if (ANNOTATIONS.includes(keyword)) return [];
      if (PLAIN.includes(keyword)) return [[keyword, value]];
      if (SCHEMAS_INSIDE.includes(keyword)) return [[keyword, inline(value, here)]];
      if (MAPS_OF_SCHEMAS.includes(keyword)) {
        const map = Object.entries(value as JsonObject).map(([k, v]) => [k, inline(v, here)]);
        return [[keyword, Object.fromEntries(map)]];
      }
      if (keyword === 'oneOf') {
        return [[keyword, (value as readonly Json[]).map((each) => inline(each, here))]];
      }
      throw new Error(`${here}: requests cannot be generated from the keyword ${keyword}`);
    });
    return { ...referred, ...(Object.fromEntries(entries) as SchemaObject) };
  };

  return keywords(at(place), place);
}
