import path from 'node:path';
import { parseArgs } from 'node:util';

/** What one engine process serves. Fixed for its lifetime: a change is a new process. */
export interface EngineOptions {
  readonly modelPath: string;
  readonly alias: string;
  readonly host: string;
  /** 0 binds a free port. */
  readonly port: number;
  readonly slots: number;
  /** Context of each slot, tokens. */
  readonly ctxPerSlot: number;
  readonly threads: number;
  /** Tokens per prefill batch, see `prefill.ts`. */
  readonly prefillChunk: number;
  /** Exit when stdin ends, so that no engine outlives the process that holds the other end. */
  readonly parentStdin: boolean;
}

export const USAGE =
  'usage: llamacpp-embedded --model FILE [--alias NAME] [--host 127.0.0.1] [--port 0] [--slots 1] ' +
  '[--ctx 1024] [--threads 1] [--prefill-chunk 16] [--parent-stdin]';

/** @throws Error with a one-line message when an argument is unknown, missing or out of range. */
export function parseEngineArgs(argv: readonly string[]): EngineOptions {
  const { values } = parseArgs({
    args: [...argv],
    strict: true,
    options: {
      model: { type: 'string' },
      alias: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      slots: { type: 'string', default: '1' },
      ctx: { type: 'string', default: '1024' },
      threads: { type: 'string', default: '1' },
      'prefill-chunk': { type: 'string', default: '16' },
      'parent-stdin': { type: 'boolean', default: false },
    },
  });
  if (values.model === undefined || values.model === '') throw new Error('--model is required');
  return {
    modelPath: path.resolve(values.model),
    alias: values.alias ?? path.basename(values.model, '.gguf'),
    host: values.host,
    port: integer('--port', values.port, 0, 65_535),
    slots: integer('--slots', values.slots, 1, 256),
    ctxPerSlot: integer('--ctx', values.ctx, 16, 1 << 20),
    threads: integer('--threads', values.threads, 1, 512),
    prefillChunk: integer('--prefill-chunk', values['prefill-chunk'], 1, 2048),
    parentStdin: values['parent-stdin'],
  };
}

function integer(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new Error(`${flag} must be a whole number between ${min} and ${max}`);
  }
  return value;
}
