/**
 * What a GGUF file's header says of the model: how it is quantised, how large its KV is.
 * Format: ggml `docs/gguf.md`; file types: `llama_ftype` in llama.cpp's `include/llama.h`.
 */

const FILE_TYPES: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  19: 'IQ2_XXS',
  20: 'IQ2_XS',
  21: 'Q2_K_S',
  22: 'IQ3_XS',
  23: 'IQ3_XXS',
  24: 'IQ1_S',
  25: 'IQ4_NL',
  26: 'IQ3_S',
  27: 'IQ3_M',
  28: 'IQ2_S',
  29: 'IQ2_M',
  30: 'IQ4_XS',
  31: 'IQ1_M',
  32: 'BF16',
  36: 'TQ1_0',
  37: 'TQ2_0',
  38: 'MXFP4_MOE',
};

/** Byte widths of the fixed-size value types; 8 is a string and 9 an array. */
const VALUE_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const STRING = 8;
const ARRAY = 9;
/** Keys and values are kept in f16. */
const KV_VALUE_BYTES = 2;

export interface GgufHeader {
  /** Such as `Q4_K_M`; '' when the file is no GGUF or does not say. */
  readonly quant: string;
  /** KV of one token at f16, bytes; 0 when the header does not tell. */
  readonly kvBytesPerToken: number;
}

/** @param head the first bytes of the file; what is asked for comes before the large tokenizer arrays */
export function readGgufHeader(head: Buffer): GgufHeader {
  const fields = readFields(head);
  const number = (name: string): number | undefined => {
    const value = fields.get(name);
    return typeof value === 'number' ? value : undefined;
  };
  const architecture = String(fields.get('general.architecture') ?? '');
  const fileType = number('general.file_type');
  return {
    quant: fileType === undefined ? '' : (FILE_TYPES[fileType] ?? ''),
    kvBytesPerToken: kvBytes((name) => number(`${architecture}.${name}`)),
  };
}

/** Layers × KV heads × (key + value length); lengths default to the embedding's share of a head. */
function kvBytes(field: (name: string) => number | undefined): number {
  const layers = field('block_count');
  const heads = field('attention.head_count');
  const embedding = field('embedding_length');
  if (layers === undefined || heads === undefined || embedding === undefined) return 0;
  const kvHeads = field('attention.head_count_kv') ?? heads;
  const key = field('attention.key_length') ?? embedding / heads;
  const value = field('attention.value_length') ?? embedding / heads;
  return layers * kvHeads * (key + value) * KV_VALUE_BYTES;
}

/** Numbers and strings of the header, up to where the bytes end or an array of strings begins. */
function readFields(head: Buffer): ReadonlyMap<string, number | string> {
  const fields = new Map<string, number | string>();
  if (head.toString('latin1', 0, 4) !== 'GGUF') return fields;
  let at = 24;
  const string = (): string => {
    const bytes = Number(head.readBigUInt64LE(at));
    at += 8 + bytes;
    if (at > head.length) throw new RangeError('the header goes on');
    return head.toString('utf8', at - bytes, at);
  };
  try {
    const keys = head.readBigUInt64LE(16);
    for (let key = 0n; key < keys; key++) {
      const name = string();
      const type = head.readUInt32LE(at);
      at += 4;
      const bytes = VALUE_BYTES[type];
      if (bytes !== undefined) {
        if (type === 4) fields.set(name, head.readUInt32LE(at));
        else if (type === 5) fields.set(name, head.readInt32LE(at));
        at += bytes;
      } else if (type === STRING) {
        fields.set(name, string());
      } else if (type === ARRAY) {
        const itemBytes = VALUE_BYTES[head.readUInt32LE(at)];
        if (itemBytes === undefined) break;
        at += 12 + itemBytes * Number(head.readBigUInt64LE(at + 4));
      } else {
        break;
      }
    }
  } catch (error) {
    // The header goes on past what was read, or lies about its lengths.
    if (!(error instanceof RangeError)) throw error;
  }
  return fields;
}
