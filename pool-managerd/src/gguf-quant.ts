/**
 * The quantisation of a GGUF file, read from `general.file_type` in its header.
 * Format: ggml `docs/gguf.md`; names: `llama_ftype` in llama.cpp's `include/llama.h`.
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
const UINT32 = 4;
const STRING = 8;

/**
 * @param head the first bytes of the file; the general keys come before the large tokenizer arrays
 * @returns a name such as `Q4_K_M`, or '' when the file is no GGUF or does not say
 */
export function ggufQuant(head: Buffer): string {
  try {
    if (head.toString('latin1', 0, 4) !== 'GGUF') return '';
    const keys = head.readBigUInt64LE(16);
    let at = 24;
    const string = (): string => {
      const bytes = Number(head.readBigUInt64LE(at));
      at += 8 + bytes;
      return head.toString('utf8', at - bytes, at);
    };
    for (let key = 0n; key < keys; key++) {
      const name = string();
      const type = head.readUInt32LE(at);
      at += 4;
      if (name === 'general.file_type' && type === UINT32)
        return FILE_TYPES[head.readUInt32LE(at)] ?? '';
      const bytes = VALUE_BYTES[type];
      if (bytes !== undefined) at += bytes;
      else if (type === STRING) string();
      else return '';
    }
    return '';
  } catch (error) {
    // The header goes on past what was read, or lies about its lengths.
    if (error instanceof RangeError) return '';
    throw error;
  }
}
