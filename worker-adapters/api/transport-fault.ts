import { errors } from 'undici';
import { EngineError } from './types.ts';
import type { EngineFault, EngineName } from './types.ts';

/** Codes of undici and of the socket below it that do not mean "the connection broke". */
const FAULTS: Readonly<Record<string, EngineFault>> = {
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'garbage',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'garbage',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'broken',
};

/** Maps what undici reports of a failed exchange; everything not known better is `broken`. */
export function transportFault(engine: EngineName, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (error instanceof errors.HTTPParserError) {
    // It holds the bytes it choked on, which may be output: it is no cause to hand on.
    return new EngineError('garbage', engine, 'the engine does not speak HTTP/1.1');
  }
  const code = errorCode(error);
  return new EngineError(FAULTS[code] ?? 'broken', engine, `connection failed: ${code}`, {
    cause: error,
  });
}

function errorCode(error: unknown): string {
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return 'unknown';
}
