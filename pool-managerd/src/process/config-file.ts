/** Reads a configuration file, keeping where each value stands, for messages. */
import { closeSync, openSync, readSync } from 'node:fs';

import { invalidParams } from '@llama-orch/contracts';
import type { Document, Node } from 'yaml';
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument, visit } from 'yaml';

/** Room for as many keys and tenants as may be configured; parsed in a second. */
export const MAX_CONFIG_BYTES = 2_097_152;
/** The configuration itself nests nine nodes deep. */
const MAX_NODES_DEEP = 64;

export interface ConfigFile {
  readonly path: string;
  /** The document as plain values; `{}` for an empty file. */
  readonly value: unknown;
  /** `line:column` of the value or key that a JSON pointer names, or of the nearest parent. */
  positionOf(pointer: string): string;
}

/** Reads at most `MAX_CONFIG_BYTES` + 1, so that a device or a huge file cannot hang the start. */
export function readConfigText(path: string): string {
  const buffer = Buffer.alloc(MAX_CONFIG_BYTES + 1);
  const file = openSync(path, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

/**
 * YAML 1.2. Repeated keys, aliases, custom tags and several documents are refused.
 * @throws OrchError INVALID_PARAMS whose detail is `path:line:column`
 */
export function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const refuse = (offset: number, message: string): never => {
    const { line, col } = lines.linePos(offset);
    throw invalidParams('The configuration file', [{ path: `${path}:${line}:${col}`, message }]);
  };
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) {
    refuse(0, `must have at most ${MAX_CONFIG_BYTES} bytes`);
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) refuse(fault.pos[0], fault.message);
  visit(document, (_key, node, parents) => {
    if (parents.length > MAX_NODES_DEEP) refuse(startOf(node) ?? 0, 'nests too deeply');
    if (isAlias(node)) refuse(startOf(node) ?? 0, 'aliases are not supported');
  });
  return {
    path,
    value: document.toJS() ?? {},
    positionOf: (pointer) => {
      const { line, col } = lines.linePos(offsetOf(document, pointer));
      return `${line}:${col}`;
    },
  };
}

function offsetOf(document: Document, pointer: string): number {
  const keys = pointer.split('/').slice(1);
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const key of keys.map((k) => k.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    let place: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      place = pair?.key;
      node = pair?.value;
    } else if (isSeq(node)) {
      place = node = node.items[Number(key)];
    } else break;
    offset = startOf(place) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
